//! `-Q EXPR`: keeps the records for which a jq expression is true.
//!
//! The only module that knows the jq engine; `expression` knows its parser.

use jaq_interpret::{Ctx, FilterT, ParseCtx, RcIter, Val};
use serde_json::Value;

use crate::expression;

/// A jq expression that chooses records.
pub struct Filter {
    expression: String,
    compiled: jaq_interpret::Filter,
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Filter({:?})", self.expression)
    }
}

impl Filter {
    /// Compiles an expression, with the definitions of jq's standard library.
    ///
    /// # Errors
    /// A sentence about what is wrong with the expression.
    pub fn new(expression: &str) -> Result<Filter, String> {
        let parsed = expression::parse(expression)
            .map_err(|error| format!("filter {expression:?}: {error}"))?;
        let mut context = ParseCtx::new(Vec::new());
        // After `--user`, the environment is still root's and the expression may be the user's.
        context.insert_natives(jaq_core::core().filter(|(name, ..)| name != "env"));
        context.insert_defs(jaq_std::std());
        let compiled = context.compile(parsed);
        if let Some((error, _)) = context.errs.first() {
            return Err(format!("filter {expression:?}: {error}"));
        }
        Ok(Filter { expression: expression.to_owned(), compiled })
    }

    /// The expression.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// Whether the first value that the expression gives for a record is neither `false`
    /// nor `null`.
    ///
    /// # Errors
    /// The error that the expression ends with for this record, as in jq.
    pub fn keeps(&self, record: &Value) -> Result<bool, String> {
        let inputs = RcIter::new(core::iter::empty());
        let context = Ctx::new([], &inputs);
        match self.compiled.run((context, Val::from(record.clone()))).next() {
            None => Ok(false),
            Some(Ok(value)) => Ok(!matches!(value, Val::Null | Val::Bool(false))),
            Some(Err(error)) => Err(format!("filter {:?}: {error}", self.expression)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_record_is_kept_if_the_value_is_true_to_jq() {
        let record = json!({"name": "agent_x", "n": 0, "gone": null, "list": ["a"]});
        for (expression, keeps) in [
            (".name", true),
            (".n", true),
            (".gone", false),
            (".n == 1", false),
            (".name | startswith(\"agent_\")", true),
            ("any(.list[]; . == \"a\")", true),
            ("empty", false),
            ("select(.n == 0)", true),
        ] {
            assert_eq!(Filter::new(expression).unwrap().keeps(&record), Ok(keeps), "{expression}");
        }
    }

    #[test]
    fn errors_name_the_expression() {
        for expression in [".name ==", "nonsense(1)", "env.HOME", "$ENV.HOME", ""] {
            let error = Filter::new(expression).unwrap_err();
            assert!(error.contains(&format!("{expression:?}")), "{error}");
        }
        let error = Filter::new(".name + 1").unwrap().keeps(&json!({"name": "x"})).unwrap_err();
        assert!(error.contains(".name + 1"), "{error}");
    }
}
