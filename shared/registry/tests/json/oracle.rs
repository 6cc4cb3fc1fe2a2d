//! The edit in the simplest way there is: parse, filter, set. Of members that stand there
//! twice, that keeps the last, as Python does.

use model::record::Scope;
use model::record::is_active;
use registry::json::counter_names;
use serde_json::{Value, json};

/// The text as a value; what a `Value` cannot hold is changed before, in every text alike.
pub fn value(text: &str) -> Value {
    let text = text.replace("1e400", "1e300").replace("\\udead", "\\ufffd");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The text as it should be after the edit, as a value.
pub fn edited(text: &str, remove: &[String], mark: &[String], now: &str) -> Value {
    let mut registry = value(text);
    let has = |ids: &[String], id: &str| ids.iter().any(|known| known == id);
    let end = |entry: &mut Value| {
        entry["status"] = json!("terminated");
        entry["termination_reason"] = json!("session_not_found");
        entry["terminated_at"] = json!(now);
        entry["last_update"] = json!(now);
    };
    let id = |entry: &Value| entry["id"].as_str().unwrap_or_default().to_owned();
    let (scope, before, entries): (Scope, usize, Vec<&mut Value>) = match &mut registry["agents"] {
        Value::Object(agents) => {
            let before = agents.len();
            agents.retain(|id, _| !has(remove, id));
            agents.iter_mut().filter(|(id, _)| has(mark, id)).for_each(|(_, entry)| end(entry));
            (Scope::Global, before, agents.values_mut().collect())
        }
        Value::Array(agents) => {
            let before = agents.len();
            agents.retain(|entry| !has(remove, &id(entry)));
            agents.iter_mut().filter(|entry| has(mark, &id(entry))).for_each(end);
            (Scope::Task, before, agents.iter_mut().collect())
        }
        other => panic!("agents: {other}"),
    };
    let status = |entry: &&mut Value| entry["status"].as_str().map(str::to_owned);
    let statuses: Vec<Option<String>> = entries.iter().map(status).collect();
    let active = statuses.iter().filter(|status| is_active(scope, status.as_deref())).count();
    let completed = statuses.iter().filter(|status| status.as_deref() == Some("completed")).count();
    let lost_some = statuses.len() < before;
    for (name, count) in counter_names(scope).iter().zip([statuses.len(), active, completed]) {
        if registry.get(name).is_some() || lost_some && scope == Scope::Global {
            let stored = &registry[name];
            // `-0` stays where it says the right thing.
            let is_true = stored.as_i64() == Some(count as i64)
                || count == 0 && stored.as_f64().is_some_and(|n| n == 0.0 && n.is_sign_negative());
            if !is_true {
                registry[name] = json!(count);
            }
        }
    }
    registry
}
