//! Every message of the attribute has a case that produces it.

use std::fs;
use std::path::Path;

use pushe_tasks_syntax::OptionError;

#[path = "../../pushe-tasks-macros/src/messages.rs"]
#[allow(dead_code, unreachable_pub, reason = "only its list of texts is read here")]
mod messages;

/// Whether `line` is `template` with something in the place of each `{field}`.
fn is_made_of(line: &str, template: &str) -> bool {
    let mut parts =
        template.split('{').enumerate().map(|(index, part)| match (index, part.split_once('}')) {
            (0, _) | (_, None) => part,
            (_, Some((_, rest))) => rest,
        });
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

/// A text as the compiler prints it: its first line, with doubled braces made single.
fn template(text: &str) -> String {
    text.lines().next().unwrap_or_default().replace("{{ .. }}", "").to_owned()
}

#[test]
fn every_message_has_a_case() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/fail");
    let mut said = Vec::new();
    let mut cases = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "stderr") {
            cases += 1;
            let text = fs::read_to_string(path).unwrap();
            said.extend(text.lines().filter_map(|line| line.strip_prefix("error: ")).map(str::to_owned));
        }
    }
    assert!(cases >= 40, "{cases} cases");
    let texts = messages::TEXTS.iter().chain(OptionError::TEXTS);
    let missing: Vec<_> =
        texts.filter(|text| !said.iter().any(|line| is_made_of(line, &template(text)))).collect();
    assert!(missing.is_empty(), "messages that no case in ui/fail produces: {missing:#?}");
}

#[test]
fn a_template_matches_what_is_made_of_it() {
    let template = "unknown option `{found}`; did you mean `{near}`?";
    assert!(is_made_of("unknown option `a`; did you mean `b`?", template));
    assert!(!is_made_of("unknown option `a`; expected one of `b`", template));
    assert!(!is_made_of("an unknown option `a`; did you mean `b`?", template));
}
