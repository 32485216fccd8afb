//! Mistakes that must not compile, each with the compiler's message and a corrected twin that
//! compiles.
//!
//! `fail/NAME.rs` must not compile, with the message in `fail/NAME.stderr`. `pass/NAME.rs`
//! compiles, and its `main` returns. Each case is a run of `rustc` against the library that cargo
//! built for the tests.
//!
//! ```text
//! cargo test --test compile_fail                        # all cases
//! ARCBUS_CASE=hedge cargo test --test compile_fail      # those whose file name contains "hedge"
//! ARCBUS_BLESS=1 cargo test --test compile_fail         # writes down what the compiler says now
//! ```

// Most cases are written with the derives.
#![cfg(feature = "derive")]

mod normal;
mod page;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

const CASES: &str = "tests/compile_fail";

/// The features with which the library is built for these tests.
const FEATURES: [(&str, bool); 7] = [
    ("derive", cfg!(feature = "derive")),
    ("garde", cfg!(feature = "garde")),
    ("testing", cfg!(feature = "testing")),
    ("tokio", cfg!(feature = "tokio")),
    ("tokio-time", cfg!(feature = "tokio-time")),
    ("tokio-util", cfg!(feature = "tokio-util")),
    ("tracing", cfg!(feature = "tracing")),
];

#[test]
fn mistakes_do_not_compile_and_give_advice() {
    assert_none_failed(&check_all("fail", refused));
}

#[test]
fn corrected_twins_compile_and_run() {
    assert_none_failed(&check_all("pass", runs));
}

#[test]
fn every_recorded_text_has_a_case_and_no_machine_detail() {
    let recorded = files(&folder().join("fail"), "stderr");
    assert!(recorded.len() >= 12, "{}", recorded.len());
    for path in recorded {
        let name = path.display();
        assert!(path.with_extension("rs").exists(), "{name} has no case");
        let text = fs::read_to_string(&path).expect("it can be read");
        for root in ["/root", "/home", "/tmp", "/usr", "registry/src", ".rustup"] {
            assert!(!text.contains(root), "{name}: {root}");
        }
    }
}

/// Checks a case, and returns an error that says how it failed.
type Check = fn(&Path) -> Result<(), String>;

fn refused(case: &Path) -> Result<(), String> {
    let output = compile(case);
    let said = normal::of(&String::from_utf8_lossy(&output.stderr), case);
    let path = folder()
        .join(case.strip_prefix(CASES).expect("a case"))
        .with_extension("stderr");
    if output.status.success() {
        return Err("it compiles".into());
    }
    if std::env::var_os("ARCBUS_BLESS").is_some() {
        return fs::write(&path, said).map_err(|error| error.to_string());
    }
    let recorded = fs::read_to_string(&path).unwrap_or_default();
    if said == recorded {
        return Ok(());
    }
    Err(format!(
        "the compiler says\n\n{said}\nand it was recorded that it says\n\n{recorded}\n\
         If the new text is as good, run this test with ARCBUS_BLESS=1."
    ))
}

fn runs(case: &Path) -> Result<(), String> {
    let output = compile(case);
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let run = Command::new(program(case)).output();
    let run = run.map_err(|error| error.to_string())?;
    if run.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&run.stderr).into_owned())
    }
}

/// Checks the cases of a folder, in one thread for each processor, and returns the failures.
fn check_all(kind: &str, check: Check) -> Vec<String> {
    let cases = cases(kind);
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    let work = || {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(reason) = check(case) {
                let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
                failures.push(format!("{}: {reason}", case.display()));
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        (0..threads).for_each(|_| {
            scope.spawn(work);
        });
    });
    failures
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
}

#[track_caller]
fn assert_none_failed(failures: &[String]) {
    let text = failures.iter().fold(String::new(), |mut text, failure| {
        let _ = writeln!(text, "\n{failure}");
        text
    });
    assert!(failures.is_empty(), "{} failed\n{text}", failures.len());
}

/// Returns the cases of a folder, as paths that are passed to the compiler.
fn cases(kind: &str) -> Vec<PathBuf> {
    let wanted = std::env::var("ARCBUS_CASE").unwrap_or_default();
    let found = files(&folder().join(kind), "rs");
    assert!(!found.is_empty(), "there is no case in {kind}");
    let names = found.iter().filter_map(|path| path.file_name());
    names
        .filter(|name| name.to_string_lossy().contains(&wanted))
        .map(|name| Path::new(CASES).join(kind).join(name))
        .collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(CASES)
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = folder.read_dir().expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let mut paths: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    paths.sort();
    paths
}

/// Returns the path to which the compiled program of a case is written.
fn program(case: &Path) -> PathBuf {
    let kind = case.parent().and_then(Path::file_name).expect("its kind");
    let name = case.file_stem().expect("its name");
    scratch().join(kind).join(name)
}

fn scratch() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile_fail")
}

fn compile(case: &Path) -> Output {
    let program = program(case);
    fs::create_dir_all(program.parent().expect("its kind")).expect("a folder");
    let library = library();
    let mut rustc = Command::new("rustc");
    rustc
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args([
            "--edition",
            "2024",
            "--crate-type",
            "bin",
            "--color",
            "never",
        ])
        .args(["-A", "dead_code", "-C", "debuginfo=0"])
        .arg("--extern")
        .arg(format!("arcbus={}", library.display()))
        .arg("-L")
        .arg(format!(
            "dependency={}",
            library.with_file_name("deps").display()
        ))
        .arg("-o")
        .arg(program)
        .arg(case);
    rustc.output().expect("rustc runs")
}

/// Returns the path of the library, which cargo has already built for these tests.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let features = FEATURES.iter().filter(|(_, is_on)| *is_on);
        let features: Vec<_> = features.map(|(name, _)| *name).collect();
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
        let output = Command::new(env!("CARGO"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args([
                "build",
                "--offline",
                "--package",
                "arcbus",
                "--lib",
                "--no-default-features",
                "--message-format=json",
            ])
            .args(["--features", &features.join(",")])
            .arg("--target-dir")
            .arg(target.expect("the folder of what is built"))
            .output()
            .expect("cargo runs");
        let said = String::from_utf8_lossy(&output.stdout);
        let found = said.lines().find_map(library_in);
        found.unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)))
    })
}

/// Returns the library's file, if a line of cargo's output names it.
fn library_in(line: &str) -> Option<PathBuf> {
    let (_, names) = line
        .split_once(r#""name":"arcbus","#)?
        .1
        .split_once(r#""filenames":[""#)?;
    let (name, _) = names.split_once('"')?;
    Some(name.into())
}
