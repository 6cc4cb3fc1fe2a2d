//! A cursor over a JSON text that tells where its parts stand, at the speed at which a
//! large registry can be read. It accepts what serde_json accepts as a value to be passed
//! over, no more and no less; what is wrong with a text that it refuses, serde_json says.

use std::borrow::Cow;

use model::record::Text;

/// A text that is not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused;

/// A place in a JSON text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'t> {
    text: &'t str,
    at: usize,
    has_escape: bool,
}

/// A string as it stands in a JSON text, quotes included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quoted<'t> {
    /// The text from quote to quote.
    pub text: &'t str,
    /// Where it begins.
    pub start: usize,
    has_escape: bool,
}

impl<'t> Quoted<'t> {
    /// What it means.
    ///
    /// # Errors
    /// What serde_json says of an escape that means no character.
    #[inline]
    pub fn meaning(&self) -> Result<Cow<'t, str>, serde_json::Error> {
        if self.has_escape {
            return serde_json::from_str::<Text<'t>>(self.text).map(|text| text.0);
        }
        Ok(Cow::Borrowed(&self.text[1..self.text.len() - 1]))
    }
}

impl<'t> Cursor<'t> {
    /// Begins at this place of a text.
    pub fn new(text: &'t str, at: usize) -> Cursor<'t> {
        Cursor { text, at, has_escape: false }
    }

    /// Whether there was an escape in what was passed over.
    pub fn has_escape(&self) -> bool {
        self.has_escape
    }

    /// The place reached.
    pub fn at(&self) -> usize {
        self.at
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Passes over white space and shows what comes then.
    pub fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.byte() {
            self.at += 1;
        }
        self.byte()
    }

    /// Passes over white space and this byte.
    pub fn expect(&mut self, byte: u8) -> Result<(), Refused> {
        if self.peek() != Some(byte) {
            return Err(Refused);
        }
        self.at += 1;
        Ok(())
    }

    /// Passes over the opening bracket, and the closing one of what is empty: whether
    /// there is a first item.
    pub fn begin(&mut self, open: u8, close: u8) -> Result<bool, Refused> {
        self.expect(open)?;
        let is_empty = self.peek() == Some(close);
        self.at += usize::from(is_empty);
        Ok(!is_empty)
    }

    /// Passes over a comma or the closing bracket: whether another item follows.
    pub fn next(&mut self, close: u8) -> Result<bool, Refused> {
        let byte = self.peek().ok_or(Refused)?;
        if byte != b',' && byte != close {
            return Err(Refused);
        }
        self.at += 1;
        Ok(byte == b',')
    }

    /// Passes over the name of a member and the colon behind it.
    pub fn name(&mut self) -> Result<Quoted<'t>, Refused> {
        let name = self.string()?;
        self.expect(b':')?;
        Ok(name)
    }

    /// Passes over a string.
    pub fn string(&mut self) -> Result<Quoted<'t>, Refused> {
        self.expect(b'"')?;
        let start = self.at - 1;
        let mut has_escape = false;
        loop {
            self.at += plain(&self.text.as_bytes()[self.at..]);
            match self.byte() {
                Some(b'"') => break,
                Some(b'\\') => {
                    has_escape = true;
                    self.at += escape(&self.text.as_bytes()[self.at..]).ok_or(Refused)?;
                }
                _ => return Err(Refused),
            }
        }
        self.at += 1;
        self.has_escape |= has_escape;
        Ok(Quoted { text: &self.text[start..self.at], start, has_escape })
    }

    /// Passes over a value, however deeply nested.
    pub fn value(&mut self) -> Result<(), Refused> {
        let mut closing = Vec::new();
        loop {
            let opened = match self.peek().ok_or(Refused)? {
                b'"' => self.string().map(|_| None)?,
                b'{' => self.begin(b'{', b'}')?.then_some(b'}'),
                b'[' => self.begin(b'[', b']')?.then_some(b']'),
                b't' => self.word("true").map(|()| None)?,
                b'f' => self.word("false").map(|()| None)?,
                b'n' => self.word("null").map(|()| None)?,
                _ => self.number().map(|()| None)?,
            };
            closing.extend(opened);
            let mut follows = opened.is_some();
            while !follows {
                let Some(&close) = closing.last() else { return Ok(()) };
                follows = self.next(close)?;
                if !follows {
                    closing.pop();
                }
            }
            if closing.last() == Some(&b'}') {
                self.name()?;
            }
        }
    }

    fn word(&mut self, word: &str) -> Result<(), Refused> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(Refused);
        }
        self.at += word.len();
        Ok(())
    }

    fn number(&mut self) -> Result<(), Refused> {
        self.at += usize::from(self.byte() == Some(b'-'));
        // A number of several digits does not begin with 0.
        match self.byte() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Refused> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.byte() {
            self.at += 1;
        }
        if self.at == start { Err(Refused) } else { Ok(()) }
    }
}

/// How many bytes there are before the first quote, backslash or control character.
fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGH: u64 = ONES << 7;
    let mut at = 0;
    // Eight at a time. A byte is below n if taking n away borrows from its highest bit;
    // above such a byte the borrow may show others that are not, so the lowest one counts.
    let (words, _) = bytes.as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word);
        let below = |word: u64, n: u64| word.wrapping_sub(ONES * n) & !word & HIGH;
        let quote = below(word ^ (ONES * u64::from(b'"')), 1);
        let backslash = below(word ^ (ONES * u64::from(b'\\')), 1);
        let found = below(word, 0x20) | quote | backslash;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let is_plain = |byte: &&u8| !matches!(byte, b'"' | b'\\' | 0..0x20);
    at + bytes[at..].iter().take_while(is_plain).count()
}

/// The length of the escape that begins here, if it is one.
fn escape(bytes: &[u8]) -> Option<usize> {
    match bytes.get(1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(2),
        b'u' => bytes.get(2..6)?.iter().all(u8::is_ascii_hexdigit).then_some(6),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde::de::IgnoredAny;

    use super::*;

    fn is_accepted(text: &str) -> bool {
        let mut cursor = Cursor::new(text, 0);
        cursor.value().is_ok() && cursor.peek().is_none()
    }

    #[test]
    fn what_serde_json_accepts() {
        for text in [
            "0",
            "-0",
            "01",
            "-",
            "1.",
            ".5",
            "1.5",
            "1e400",
            "1E+5",
            "1e",
            "1e-",
            "+1",
            "0x1",
            "true",
            "tru",
            "truer",
            "nul",
            "null",
            "false",
            "\"\"",
            "\"a",
            "\"\\u00e\"",
            "\"\\uDEAD\"",
            "\"\\x\"",
            "\"\\",
            "\"\t\"",
            "\"\u{7f}\u{e9}\u{1f44d}\"",
            "\"1234567\"",
            "\"12345678\"",
            "\"123456789\\\"\"",
            "[]",
            "[ ]",
            "[1,]",
            "[,1]",
            "[1 2]",
            "[1,2]",
            "{}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\":1}",
            "{a:1}",
            "{\"a\" : [ {} , [] ] }",
            "[}",
            "{]",
            "[[]",
            "[]]",
            "",
            " ",
            "1 1",
            "\u{a0}1",
            "{\"a\":1 \"b\":2}",
            "[1}",
            "{\"a\":1]",
        ] {
            let expected = serde_json::from_str::<IgnoredAny>(text).is_ok();
            assert_eq!(is_accepted(text), expected, "{text:?}");
        }
    }

    #[test]
    fn every_byte_at_every_place_of_a_string() {
        for place in 0..20 {
            for byte in 0..128 {
                let mut bytes = [b'x'; 20];
                bytes[place] = byte;
                let is_plain = !matches!(byte, b'"' | b'\\' | 0..0x20);
                assert_eq!(plain(&bytes), if is_plain { 20 } else { place }, "{byte} at {place}");
            }
        }
        assert_eq!(plain("é\u{ff}\u{20ac}𝄞é\u{ff}\u{20ac}𝄞\"".as_bytes()), 22);
    }
}
