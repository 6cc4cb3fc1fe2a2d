//! What a registry holds after a write that was interrupted, told from the contents that
//! the journal kept.
//!
//! That the text parses proves nothing: a mixture of two registries often parses.

use super::layout::Layout;

/// The unit in which a write may have been cut short.
const BLOCK: usize = 512;

/// What is in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteState {
    /// The old content, untouched.
    Old,
    /// The new content, perhaps not all of it yet: the rest is old.
    Mixed,
    /// Neither, but whole JSON: another program wrote later.
    Later,
    /// Anything else: the content is torn.
    Torn,
}

/// Judges `found`, the bytes of the file, by the contents before and after the write. The
/// write pads the new content with spaces to the length of the old one and cuts the
/// padding off last.
pub fn judge(found: &[u8], old: &[u8], new: &[u8]) -> WriteState {
    if found == old {
        return WriteState::Old;
    }
    if found == new || is_mixture(found, old, new) {
        return WriteState::Mixed;
    }
    match std::str::from_utf8(found).map(Layout::of) {
        Ok(Ok(_)) => WriteState::Later,
        _ => WriteState::Torn,
    }
}

/// Whether every block is from the old or from the padded new content.
fn is_mixture(found: &[u8], old: &[u8], new: &[u8]) -> bool {
    let padded = new.len().max(old.len());
    if !(old.len()..=padded).contains(&found.len()) {
        return false;
    }
    found.chunks(BLOCK).enumerate().all(|(number, block)| {
        let span = number * BLOCK..number * BLOCK + block.len();
        let of_old = old.get(span.clone()) == Some(block);
        of_old || is_padded(block, new.get(span.start.min(new.len())..).unwrap_or_default())
    })
}

/// Whether a block is the beginning of `new` with spaces behind it.
fn is_padded(block: &[u8], new: &[u8]) -> bool {
    let (text, padding) = block.split_at(block.len().min(new.len()));
    new.starts_with(text) && padding.iter().all(|&byte| byte == b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents() -> (Vec<u8>, Vec<u8>) {
        let text = |n: usize| {
            let entries: Vec<String> =
                (0..n).map(|i| format!("\"a{i}\": {{\"n\": {i}}}")).collect();
            format!("{{\"agents\": {{{}}}}}", entries.join(", ")).into_bytes()
        };
        (text(200), text(90))
    }

    #[test]
    fn every_state_of_a_write_is_known() {
        let (old, new) = contents();
        let mut padded = new.clone();
        padded.resize(old.len(), b' ');
        assert_eq!(judge(&old, &old, &new), WriteState::Old);
        assert_eq!(judge(&padded, &old, &new), WriteState::Mixed);
        assert_eq!(judge(&new, &old, &new), WriteState::Mixed);
        for blocks in 1..old.len().div_ceil(BLOCK) {
            let cut = blocks * BLOCK;
            let front = [&padded[..cut], &old[cut..]].concat();
            let back = [&old[..cut], &padded[cut..]].concat();
            // Up to the first entry that went, old and new are the same.
            let begun = if front == old { WriteState::Old } else { WriteState::Mixed };
            assert_eq!(judge(&front, &old, &new), begun, "{blocks}");
            assert_eq!(judge(&back, &old, &new), WriteState::Mixed, "{blocks}");
        }
    }

    #[test]
    fn a_write_that_grows_the_file() {
        let (new, old) = contents();
        for len in old.len()..=new.len() {
            assert_eq!(judge(&new[..len], &old, &new), WriteState::Mixed, "{len}");
        }
    }

    #[test]
    fn later_writers_and_torn_texts() {
        let (old, new) = contents();
        assert_eq!(judge(b"{\"agents\": {}}", &old, &new), WriteState::Later);
        assert_eq!(judge(b"", &old, &new), WriteState::Torn);
        assert_eq!(judge(&old[..old.len() / 2], &old, &new), WriteState::Torn);
        let mut scratched = old.clone();
        scratched[700] = 0;
        assert_eq!(judge(&scratched, &old, &new), WriteState::Torn);
    }
}
