//! Rules for all files of the repository, and for the commands of its pages.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).expect(name)
}

/// Collects every file below a folder, except those of git and cargo.
fn files_below(folder: &Path, files: &mut Vec<PathBuf>) {
    if folder.ends_with(".git") || folder.join("CACHEDIR.TAG").exists() {
        return;
    }
    for entry in folder.read_dir().expect("a folder") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            files_below(&path, files);
        } else {
            files.push(path);
        }
    }
}

/// The source of the packages is a setting of the machine that builds, and not of the repository.
#[test]
fn no_file_but_the_lock_file_names_a_registry() {
    let hosts = [
        concat!("crates", ".io"),
        concat!("npm", "js.org"),
        concat!("pypi", ".org"),
        concat!("proxy.golang", ".org"),
    ];
    let mut files = Vec::new();
    files_below(&root(), &mut files);
    assert!(files.len() > 200, "{}", files.len());
    for file in files {
        if file.ends_with("Cargo.lock") || file.ends_with(".git") {
            continue;
        }
        let bytes = fs::read(&file).expect("it can be read");
        let text = String::from_utf8_lossy(&bytes);
        for host in hosts {
            assert!(!text.contains(host), "{} names {host}", file.display());
        }
    }
}

#[test]
fn the_program_of_the_readme_is_the_quickstart() {
    let readme = read("README.md");
    let (_, program) = readme.split_once("```rust\n").expect("a program");
    let (program, _) = program.split_once("```").expect("its end");
    let quickstart = read("examples/quickstart.rs");
    let (_, code) = quickstart.split_once("\n\n").expect("a comment first");
    assert!(program == code, "copy the code of examples/quickstart.rs");
}

/// Returns the commands of the README that are meant to be run, each on its own line.
fn commands(readme: &str) -> Vec<&str> {
    let (_, block) = readme.split_once("```sh\n").expect("commands");
    let (block, _) = block.split_once("```").expect("their end");
    let lines = block.lines().filter(|line| !line.starts_with('#'));
    lines.collect()
}

#[test]
fn the_checks_of_a_change_include_the_commands_of_the_readme() {
    let (readme, run) = (read("README.md"), read(".ci/run"));
    let commands = commands(&readme);
    assert_eq!(commands.len(), 2);
    for command in commands {
        let step = format!("step {command}");
        assert!(run.lines().any(|line| line == step), "{step}");
    }
}
