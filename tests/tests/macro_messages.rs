//! Whether the cases in `ui/fail` produce all that the attribute can say, and that it says it once.

use std::fs;
use std::path::Path;
use std::process::Command;

use pushe_tasks_syntax::OptionError;
use pushe_tasks_syntax::cron::CronError;
use pushe_tasks_syntax::zone::ZoneError;

#[path = "../../pushe-tasks-macros/src/messages.rs"]
#[expect(dead_code, reason = "only the list of texts is read here")]
mod messages;

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/ui/fail");

/// The fixed parts of a text, between its fields.
fn parts(text: &str) -> Vec<String> {
    let (mut parts, mut part, mut chars) = (Vec::new(), String::new(), text.chars().peekable());
    while let Some(c) = chars.next() {
        if matches!(c, '{' | '}') && chars.next_if_eq(&c).is_some() {
            part.push(c);
        } else if c == '{' {
            parts.push(std::mem::take(&mut part));
            for _ in chars.by_ref().take_while(|c| *c != '}') {}
        } else {
            part.push(c);
        }
    }
    parts.push(part);
    parts
}

/// Whether some text of `said` is `text` with its fields filled in.
///
/// Blanks are left out on both sides, since the compiler indents the lines of a long text.
fn is_said(text: &str, said: &[String]) -> bool {
    let parts: Vec<_> = parts(text).iter().map(|part| without_blanks(part)).collect();
    said.iter().any(|message| {
        let mut rest = message.as_str();
        parts.iter().enumerate().all(|(index, part)| match rest.find(part.as_str()) {
            // A text on a value may stand behind the name of its option.
            Some(0) => {
                rest = &rest[part.len()..];
                true
            }
            Some(at) if index > 0 => {
                rest = &rest[at + part.len()..];
                true
            }
            _ => false,
        })
    })
}

fn without_blanks(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// The errors in the expected texts: the first line, and what follows the name of an option in it.
fn said() -> Vec<String> {
    let mut said = Vec::new();
    for file in fs::read_dir(CASES).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "stderr") {
            let text = fs::read_to_string(path).unwrap();
            for error in text.split("error: ").skip(1) {
                let error = error.split(" --> ").next().unwrap();
                said.push(without_blanks(error));
                said.extend(error.split_once("`: ").map(|(_, rest)| without_blanks(rest)));
            }
        }
    }
    said
}

#[test]
fn every_message_is_produced_by_a_case() {
    let said = said();
    let all =
        messages::TEXTS.iter().chain(OptionError::TEXTS).chain(CronError::TEXTS).chain(ZoneError::TEXTS);
    let silent: Vec<_> = all.filter(|text| !is_said(text, &said)).collect();
    assert!(silent.is_empty(), "no case in ui/fail produces these: {silent:#?}");
}

#[test]
fn every_case_has_its_text_and_there_are_enough() {
    let cases = |folder: &Path, extension: &str| {
        let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|found| found == extension)).count()
    };
    let fail = Path::new(CASES);
    assert_eq!(cases(fail, "rs"), cases(fail, "stderr"));
    assert!(cases(fail, "rs") >= 40);
    assert!(cases(&fail.with_file_name("pass"), "rs") >= 15);
}

#[test]
fn ten_mistakes_give_ten_errors() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = format!(
        "[package]\nname = \"ten-mistakes\"\nedition = \"2024\"\n[workspace]\n\
         [dependencies]\npushe-tasks = {{ path = \"{}/../pushe-tasks\" }}\n",
        env!("CARGO_MANIFEST_DIR")
    );
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    fs::copy(format!("{CASES}/ten_mistakes.rs"), folder.path().join("src/mistakes.rs")).unwrap();
    fs::write(folder.path().join("src/lib.rs"), "mod mistakes;\n\npub fn fine() -> u8 {\n    1\n}\n")
        .unwrap();
    // The versions that this workspace has chosen, so that nothing is looked up anew.
    let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock");
    fs::copy(lock, folder.path().join("Cargo.lock")).unwrap();

    let output = Command::new(env!("CARGO"))
        .args(["check", "--offline", "--message-format=json"])
        .current_dir(folder.path())
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("ten-mistakes"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors: Vec<_> = text
        .lines()
        .filter(|line| line.contains(r#""reason":"compiler-message""#))
        .filter(|line| line.contains(r#""level":"error""#) && !line.contains("aborting due to"))
        .collect();
    assert_eq!(errors.len(), 10, "{}\n{}", errors.join("\n"), String::from_utf8_lossy(&output.stderr));
    assert!(errors.iter().all(|line| line.contains("src/mistakes.rs")));
}
