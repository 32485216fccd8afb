use std::collections::HashSet;
use std::{env, fs};

use super::*;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/docs/errors.md");
const BEGIN: &str = "<!-- table: a test writes it -->\n";
const END: &str = "<!-- end of the table -->\n";
const HEAD: &str = "\
| kind | code | the handler | evidence | retried | replaced | fault | HTTP | gRPC |
|---|---|---|---|---|---|---|---|---|
";

fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

fn line(kind: ErrorKind) -> String {
    let row = kind.row();
    let handler = match kind.phase() {
        Some(Phase::NotStarted) => "did not run",
        Some(Phase::Indeterminate) => "may have acted",
        None => "answered",
    };
    let evidence = match kind.evidence() {
        Evidence::Good => "success",
        Evidence::Bad => "failure",
        Evidence::None => "none",
        Evidence::Caller => "its caller ended it",
    };
    let retried = match kind.retry() {
        RetryRule::Always => "yes",
        RetryRule::Queries => "queries",
        RetryRule::Chosen => "no",
        RetryRule::Never => "never",
    };
    let (replaced, fault) = (yes(kind.is_replaced()), yes(kind.is_fault()));
    let (code, http, grpc, name) = (kind.code(), kind.http_status(), kind.grpc_code(), row.grpc);
    format!(
        "| [`{kind:?}`](crate::ErrorKind::{kind:?}) | `{code}` | {handler} | {evidence} | {retried} \
         | {replaced} | {fault} | {http} | {grpc} {name:?} |\n"
    )
}

/// Compares the table in the page. With `ARCBUS_BLESS` in the environment, writes the table
/// instead.
#[test]
fn the_page_of_errors_has_this_table() {
    let page = fs::read_to_string(PAGE).expect("the page");
    let (before, rest) = page.split_once(BEGIN).expect("a place for the table");
    let (_, after) = rest.split_once(END).expect("the end of the table");
    let table: String = ErrorKind::ALL.iter().copied().map(line).collect();
    let expected = format!("{before}{BEGIN}\n{HEAD}{table}\n{END}{after}");
    if env::var_os("ARCBUS_BLESS").is_some() {
        fs::write(PAGE, &expected).expect("the page can be written");
        return;
    }
    let advice = "src/docs/errors.md differs: ARCBUS_BLESS=1 cargo test --lib outcome::kind";
    assert!(page == expected, "{advice}");
}

#[test]
fn each_code_is_a_unique_word() {
    let codes: HashSet<_> = ErrorKind::ALL.iter().map(|kind| kind.code()).collect();
    assert_eq!(codes.len(), ErrorKind::COUNT);
    for kind in ErrorKind::ALL {
        let is_plain = |letter: char| letter.is_ascii_lowercase() || letter == '_';
        assert!(kind.code().chars().all(is_plain), "{kind}");
        // Lower case of the variant's name, so that each leads to the other.
        let name = format!("{kind:?}").to_lowercase();
        assert_eq!(kind.code().replace('_', ""), name);
    }
}

#[test]
fn a_message_that_may_have_acted_is_not_repeated() {
    for kind in ErrorKind::ALL.iter().filter(|kind| kind.is_indeterminate()) {
        assert_eq!(kind.retry(), RetryRule::Never, "{kind}");
        let invites = [408, 425, 429, 503].contains(&kind.http_status());
        let is_unavailable = matches!(kind.row().grpc, Grpc::Unavailable | Grpc::ResourceExhausted);
        assert!(
            !invites && !is_unavailable,
            "{kind} invites a client to send it again"
        );
    }
}

#[test]
fn a_handler_error_counts_as_an_answer() {
    let own = [
        ErrorKind::Transient,
        ErrorKind::Permanent,
        ErrorKind::Unclassified,
    ];
    for kind in ErrorKind::ALL {
        assert_eq!(kind.phase().is_none(), own.contains(kind), "{kind}");
    }
}

#[test]
fn statuses_are_in_the_range_of_errors() {
    for kind in ErrorKind::ALL {
        assert!((400..600).contains(&kind.http_status()), "{kind}");
        assert!((1..=16).contains(&kind.grpc_code()), "{kind}");
    }
}

#[test]
fn a_deadline_of_a_nested_caller_is_a_fault_of_the_service() {
    for kind in ErrorKind::ALL {
        let expected = match kind {
            ErrorKind::Late => ErrorKind::QueueTimeout,
            ErrorKind::CallerTimeout => ErrorKind::Timeout,
            kind => *kind,
        };
        assert_eq!(kind.handed_on(), expected);
        assert_eq!(kind.handed_on().phase(), kind.phase(), "{kind}");
    }
}
