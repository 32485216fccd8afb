//! A copy of the repository, in which the mutants are built.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use crate::Fallible;
use crate::find::Place;
use crate::rewrite::{SUPPORT, rewrite};

/// A copy of the repository with every ordering behind a switch.
#[derive(Debug)]
pub struct Tree {
    root: PathBuf,
    copy: PathBuf,
    target: PathBuf,
}

impl Tree {
    /// Brings the copy up to date, and leaves unchanged files alone, so that cargo builds no more than the
    /// change needs.
    ///
    /// # Errors
    ///
    /// Fails if a file cannot be read or written, or if git cannot list the files.
    pub fn copy(root: &Path, weakenable: &[Place]) -> Fallible<Self> {
        let root = root.canonicalize()?;
        let copy = root.join("target/mutate/tree");
        let files = files(&root)?;
        let files: BTreeSet<&str> = files.iter().map(String::as_str).collect();
        for file in &files {
            let from = root.join(file);
            // A file may be deleted without the deletion being committed yet.
            if from.is_file() {
                let bytes = mutated(file, fs::read(&from)?, weakenable)?;
                write_if_new(&copy.join(file), &bytes)?;
            }
        }
        remove_others(&copy, &copy, &files)?;
        let target = std::env::var_os("CARGO_TARGET_DIR");
        let target = target.map_or_else(|| root.join("target/loom"), |dir| root.join(dir));
        Ok(Self { root, copy, target })
    }

    /// Builds the models of these files, and returns each file with the path of its program.
    ///
    /// # Errors
    ///
    /// Fails if the models do not build, with the output of cargo.
    pub fn build(&self, files: &BTreeSet<String>) -> Fallible<Vec<(String, PathBuf)>> {
        let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
        let mut cargo = Command::new("cargo");
        cargo
            .current_dir(&self.copy)
            .env("RUSTFLAGS", format!("{flags} --cfg arcbus_loom"))
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_TERM_COLOR", "never")
            .args("test --locked -p arcbus-loom --profile loom --no-run".split(' '));
        for file in files {
            cargo.args(["--test", file]);
        }
        let done = cargo.output()?;
        let said = String::from_utf8_lossy(&done.stderr);
        if !done.status.success() {
            return Err(format!("the mutants do not build:\n{said}").into());
        }
        let programs = said.lines().filter_map(program);
        let programs = programs.map(|(file, path)| (file, self.copy.join(path)));
        Ok(programs.collect())
    }

    /// Returns the path of the file that receives the output of models.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.root.join("target/mutate/log")
    }
}

/// Returns the files of the repository, whether committed or not, without those that git ignores.
///
/// # Errors
///
/// Fails if git cannot be run, or cannot list the files.
pub fn files(root: &Path) -> Fallible<Vec<String>> {
    let arguments = "ls-files --cached --others --exclude-standard";
    let files = output(
        Command::new("git")
            .current_dir(root)
            .args(arguments.split(' ')),
    )?;
    Ok(files.lines().map(str::to_owned).collect())
}

/// Reads the file and its program from a line of cargo such as `Executable tests/hedge.rs
/// (target/loom/deps/hedge-0123)`.
fn program(line: &str) -> Option<(String, String)> {
    let (test, path) = line
        .trim()
        .strip_prefix("Executable tests/")?
        .split_once(".rs (")?;
    Some((test.to_owned(), path.strip_suffix(')')?.to_owned()))
}

fn mutated(file: &str, bytes: Vec<u8>, weakenable: &[Place]) -> Fallible<Vec<u8>> {
    let Some(name) = file.strip_prefix("src/") else {
        return Ok(bytes);
    };
    let numbered = weakenable.iter().enumerate();
    let places: Vec<_> = numbered.filter(|(_, place)| place.file == name).collect();
    if places.is_empty() && name != "sync/mod.rs" {
        return Ok(bytes);
    }
    let mut text = rewrite(&String::from_utf8(bytes)?, &places);
    if name == "sync/mod.rs" {
        text.push_str(SUPPORT);
    }
    Ok(text.into_bytes())
}

fn write_if_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    fs::create_dir_all(path.parent().expect("it is in the copy"))?;
    fs::write(path, bytes)
}

/// Removes files from the copy that the repository no longer has.
fn remove_others(folder: &Path, copy: &Path, files: &BTreeSet<&str>) -> Fallible<()> {
    for entry in folder.read_dir()? {
        let path = entry?.path();
        if path.is_dir() {
            remove_others(&path, copy, files)?;
        } else if !files.contains(&*path.strip_prefix(copy)?.to_string_lossy()) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Runs a command and returns its standard output.
///
/// # Errors
///
/// Fails if the command cannot be run, or if it fails.
pub fn output(command: &mut Command) -> Fallible<String> {
    let done = command.output()?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        return Err(format!("{command:?}: {said}").into());
    }
    Ok(String::from_utf8(done.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_in_what_cargo_says() {
        let line = "  Executable tests/hedge.rs (target/loom/loom/deps/hedge-dc88)";
        let expected = (
            "hedge".to_owned(),
            "target/loom/loom/deps/hedge-dc88".to_owned(),
        );
        assert_eq!(program(line), Some(expected));
        assert_eq!(
            program("  Executable unittests src/lib.rs (target/a)"),
            None
        );
    }
}
