//! What must not compile, with what the compiler says then; each next to a twin that compiles.

use std::path::{Path, PathBuf};

#[test]
#[cfg_attr(feature = "tracing", ignore = "the compiler lists one more layer")]
fn mistakes_are_refused_with_advice_and_their_twins_compile() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/compile_fail/pass/*.rs");
    cases.compile_fail("tests/compile_fail/fail/*.rs");
}

/// The messages that were recorded, with the name of their case.
fn messages() -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compile_fail/fail");
    let entries = folder.read_dir().expect("the folder is there");
    entries
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "stderr")
        })
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("it can be read");
            (path, text)
        })
        .collect()
}

#[test]
fn no_message_depends_on_the_machine() {
    let messages = messages();
    assert!(messages.len() >= 12, "{}", messages.len());
    for (path, text) in messages {
        for root in [
            "/root",
            "/home",
            "/tmp",
            "/usr",
            ".cargo/registry",
            ".rustup",
        ] {
            assert!(!text.contains(root), "{}: {root}", path.display());
        }
    }
}
