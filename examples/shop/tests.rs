//! Tests of the shop program, from its arguments to its output.

use std::ffi::OsString;
use std::io::{self, BufReader, Read};

use super::clerk::Clerk;
use super::input::LONGEST_LINE;
use super::options::{Show, USAGE};
use super::report::{Report, Row, Tally};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/shop.jsonl");

/// The exit code and the output of a run of the shop.
struct Ran {
    code: u8,
    out: String,
    err: String,
}

fn run(args: &[&str], stdin: impl AsRef<[u8]>) -> Ran {
    run_reading(args, stdin.as_ref())
}

fn run_reading(args: &[&str], stdin: impl Read) -> Ran {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let args = args.iter().map(OsString::from);
    let code = super::run(args, BufReader::new(stdin), &mut out, &mut err);
    Ran {
        code,
        out: String::from_utf8(out).unwrap(),
        err: String::from_utf8(err).unwrap(),
    }
}

/// Serves `input`, and returns the report and the text on the error output.
fn serve(input: &[u8]) -> (Report, String) {
    let show = Show {
        every_complaint: true,
        ..Show::default()
    };
    let mut clerk = Clerk::new(show).unwrap();
    let mut err = Vec::new();
    clerk.serve(input, &mut io::sink(), &mut err).unwrap();
    (clerk.into_report(), String::from_utf8(err).unwrap())
}

fn tally(counts: &[(&'static str, u64)]) -> Tally {
    counts.iter().copied().collect()
}

/// Asserts the counts of a row: of all messages, of the successful ones, and of each error.
#[track_caller]
fn assert_row(row: &Row, count: u64, ok: u64, errors: &[(&'static str, u64)]) {
    assert_eq!(
        (row.count(), row.ok, &row.errors),
        (count, ok, &tally(errors))
    );
}

#[test]
fn counts_every_line_of_its_data() {
    let (report, err) = serve(&std::fs::read(DATA).unwrap());
    let row = |name| &report.rows[name];
    assert_row(
        row("order.cancel"),
        988,
        829,
        &[("already_cancelled", 73), ("unknown_order", 86)],
    );
    assert_row(row("order.get"), 2323, 2323, &[]);
    assert_row(row("order.list"), 1797, 1692, &[("unknown_user", 105)]);
    let refused_orders = [
        ("invalid", 82),
        ("out_of_stock", 83),
        ("forbidden", 88),
        ("unknown_product", 80),
        ("unknown_user", 78),
    ];
    assert_row(row("order.place"), 6489, 6078, &refused_orders);
    assert_row(row("product.create"), 939, 939, &[]);
    assert_row(row("product.get"), 3860, 3784, &[("unknown_product", 76)]);
    assert_row(
        row("stock.update"),
        2591,
        2444,
        &[("invalid", 83), ("out_of_stock", 64)],
    );
    assert_row(
        row("user.create"),
        1861,
        1696,
        &[("email_taken", 89), ("invalid", 76)],
    );
    assert_row(row("user.get"), 2651, 2571, &[("unknown_user", 80)]);
    assert_eq!(report.rows.len(), 9);
    assert_eq!(report.total().count(), 23_499);
    let malformed = [
        ("bad_fields", 286),
        ("not_json", 179),
        ("unknown_message", 36),
    ];
    assert_eq!(report.malformed, tally(&malformed));
    assert_eq!(err.lines().count(), 501);
}

/// Every order that is neither invalid nor forbidden queries its user, and its product if the user
/// exists.
#[test]
fn tells_nested_dispatches_from_lines() {
    let (report, _) = serve(&std::fs::read(DATA).unwrap());
    let orders = &report.rows["order.place"];
    let users = orders.count() - orders.errors["forbidden"] - orders.errors["invalid"];
    let products = users - orders.errors["unknown_user"];
    let nested = [("user.get", users), ("product.get", products)];
    assert_eq!(report.nested, tally(&nested));
    assert_eq!(report.turnover.to_string(), "1781399.33");
}

#[test]
fn reports_malformed_lines_with_number_and_reason() {
    let (_, err) = serve(&std::fs::read(DATA).unwrap());
    let expected = [
        "line 502: bad fields: missing field `email`, column 41",
        "line 614: bad fields: invalid type: string \"224\", expected u64, column 29",
        "line 732: not JSON: expected an object",
        "line 1098: bad fields: missing field `type`, column 10",
        "line 1203: not JSON: EOF while parsing an object, column 27",
        "line 1271: not JSON: expected `,` or `}`, column 20",
        "line 1380: bad fields: invalid type: floating point `1.5`, expected u64, column 46",
        "line 1458: bad fields: invalid value: integer `-185`, expected u64, column 29",
        "line 1979: unknown message \"user.delete\"",
    ];
    for line in expected {
        assert!(err.lines().any(|reported| reported == line), "{line}");
    }
}

const SMALL: &str = r#"{"type":"user.create","name":"Ada Byron","email":"ada@example.org"}
{"type":"product.create","name":"Oak lamp","price":1999,"stock":5}

{"type":"order.place","user":1,"product":1,"quantity":2}
{"type":"order.place","user":1,"product":1,"quantity":4}
{"type":"order.place","user":2,"product":1,"quantity":1}
{"type":"order.place","user":1,"product":1,"quantity":-1}
{"type":"order.place","user":1,"product":1,"quantity":101}
{"type":"order.list","user":1}
{"type":"order.cancel","order":1}
{"type":"order.cancel","order":1}
{"type":"order.get","id":1}
{"type":"stock.update","product":1,"change":-6}
{"type":"product.get","id":1}
{"type":"user.create","name":" ","email":"ada"}
{"type":"user.get","id":1}
{"type":"user.get","id":0}
"#;

#[test]
fn prints_each_outcome_with_its_line() {
    let ran = run(&["--print", "-"], SMALL);
    let printed: Vec<_> = ran.out.lines().take(16).collect();
    let expected = [
        "line 1: user.create ok: user 1",
        "line 2: product.create ok: product 1",
        "line 4: order.place ok: order 1, 39.98",
        "line 5: order.place failed: only 3 of product 1 left",
        "line 6: order.place failed: there is no user 2",
        "line 7: order.place failed: invalid message: 1 violation: quantity: must be at least 1 (min)",
        "line 8: order.place failed: rejected: forbidden: large orders need an approval",
        "line 9: order.list ok: 1 in all, 39.98 to pay",
        "line 10: order.cancel ok: 39.98",
        "line 11: order.cancel failed: order 1 was cancelled before",
        "line 12: order.get ok: order 1: 2 of product 1 for user 1, 39.98 (cancelled)",
        "line 13: stock.update failed: only 5 of product 1 left",
        "line 14: product.get ok: product 1: Oak lamp at 19.99, 5 in stock",
        "line 15: user.create failed: invalid message: 2 violations: name: must not be blank \
         (required); email: must look like name@example.org (email)",
        "line 16: user.get ok: user 1: Ada Byron <ada@example.org>",
        "line 17: user.get failed: there is no user 0",
    ];
    assert_eq!(printed, expected);
    assert_eq!((ran.code, &*ran.err), (0, ""));
}

/// Compares the columns of the table, except the speed, which differs each time.
#[test]
fn prints_a_table() {
    let ran = run(&["-"], SMALL);
    let mut rows = ran.out.lines().map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        (
            words.first().copied().unwrap_or(""),
            words.get(1..4).unwrap_or(&[]).join(" "),
        )
    });
    assert_eq!(rows.next().map(|row| row.0), Some("Outcomes"));
    assert_eq!(rows.next(), Some(("", String::new())));
    assert_eq!(rows.next(), Some(("message", "count ok failed".into())));
    assert_eq!(rows.next(), Some(("order.cancel", "2 1 1".into())));
    assert_eq!(
        rows.find(|row| row.0 == "order.place"),
        Some(("order.place", "5 1 4".into()))
    );
    assert_eq!(
        rows.find(|row| row.0 == "total"),
        Some(("total", "16 8 8".into()))
    );
    assert!(
        ran.out
            .contains("forbidden 1, invalid 1, out_of_stock 1, unknown_user 1\n")
    );
    assert!(ran.out.lines().all(|line| line.trim_end() == line));
}

#[test]
fn reads_any_line_ending() {
    let (unix, _) = serve(SMALL.as_bytes());
    let windows = format!("\u{feff}{}", SMALL.replace('\n', "\r\n"));
    let (report, err) = serve(windows.trim_end().as_bytes());
    assert_eq!(report.total().errors, unix.total().errors);
    assert_eq!(report.total().count(), 16);
    assert_eq!(err, "");
}

#[test]
fn goes_on_after_any_bytes() {
    let mut input = b"\xff\xfe\n{\"type\":\"user.get\xc3\"}\n".to_vec();
    input.extend_from_slice(b"\0\n[1]\n42\nnull\n\"x\"\n{}\n{\"type\":7}\n");
    input.extend_from_slice(&[b'['; 1000]);
    input.extend_from_slice(
        b"\n{\"type\":\"user.get\",\"id\":1,\"id\":2}\n{\"type\":\"user.get\",\"id\":1} x\n",
    );
    input.extend_from_slice(SMALL.as_bytes());
    let (report, err) = serve(&input);
    let reported: Vec<_> = err.lines().collect();
    assert_eq!(reported[0], "line 1: not UTF-8, column 1");
    assert_eq!(reported[1], "line 2: not UTF-8, column 18");
    assert_eq!(
        reported[7],
        "line 8: bad fields: missing field `type`, column 2"
    );
    assert_eq!(
        reported[10],
        "line 11: bad fields: duplicate field `id`, column 30"
    );
    assert_eq!(reported.len(), 12);
    assert_eq!(report.total().count(), 16);
}

#[test]
fn skips_a_line_that_is_too_long() {
    let huge = format!("{{\"type\":\"{}\"}}", "x".repeat(3 * LONGEST_LINE));
    let (report, err) = serve(format!("{huge}\n{SMALL}{huge}").as_bytes());
    assert_eq!(
        err,
        "line 1: longer than 65536 bytes\nline 19: longer than 65536 bytes\n"
    );
    assert_eq!(report.total().count(), 16);
}

#[test]
fn takes_a_line_as_long_as_allowed() {
    let line = r#"{"type":"user.get","id":1}"#;
    let padded = |length: usize| format!("{line}{}\n", " ".repeat(length - line.len()));
    let (report, _) = serve((padded(LONGEST_LINE) + &padded(LONGEST_LINE + 1)).as_bytes());
    assert_eq!(report.rows["user.get"].count(), 1);
    assert_eq!(report.malformed, tally(&[("too_long", 1)]));
}

#[test]
fn quotes_no_more_than_a_little_of_a_long_line() {
    let name = "\u{e9}".repeat(5000);
    let lines = format!("{{\"type\":\"{name}\"}}\n{{\"type\":\"user.get\",\"id\":\"{name}\"}}");
    let (_, err) = serve(lines.as_bytes());
    assert_eq!(err.lines().count(), 2);
    assert!(err.lines().all(|line| line.chars().count() < 250), "{err}");
}

#[test]
fn refuses_numbers_out_of_range() {
    let lines = [
        r#"{"type":"user.get","id":18446744073709551616}"#,
        r#"{"type":"product.create","name":"x","price":4294967296,"stock":1}"#,
        r#"{"type":"order.place","user":1,"product":1,"quantity":2147483648}"#,
        r#"{"type":"stock.update","product":1,"change":9223372036854775808}"#,
        r#"{"type":"stock.update","product":1,"change":-9223372036854775808}"#,
        r#"{"type":"product.create","name":"x","price":0,"stock":1}"#,
        r#"{"type":"user.get","id":18446744073709551615}"#,
    ];
    let (report, _) = serve(lines.join("\n").as_bytes());
    assert_eq!(report.malformed, tally(&[("bad_fields", 4)]));
    assert_eq!(
        report.total().errors,
        tally(&[("invalid", 2), ("unknown_user", 1)])
    );
}

#[test]
fn holds_no_more_than_fits() {
    let product = r#"{"type":"product.create","name":"x","price":1,"stock":4294967295}"#;
    let more = r#"{"type":"stock.update","product":1,"change":1}"#;
    let (report, _) = serve(format!("{product}\n{more}").as_bytes());
    assert_eq!(report.total().errors, tally(&[("store_full", 1)]));
}

#[test]
fn of_an_empty_input_prints_an_empty_table() {
    let ran = run(&["-"], "");
    assert_eq!((ran.code, &*ran.err), (0, ""));
    assert!(
        ran.out
            .contains("\ntotal                   0        0        0            -\n"),
        "{}",
        ran.out
    );
}

#[test]
fn complains_of_three_lines_and_says_how_many_more() {
    let lines = "nonsense\n".repeat(5);
    let complaint = |number| format!("line {number}: not JSON: expected an object\n");
    let first: String = (1..=3).map(complaint).collect();
    let more = "and 2 more lines without a message (`--verbose` reports them)\n";
    assert_eq!(run(&["-"], &lines).err, format!("{first}{more}"));
    let all: String = (1..=5).map(complaint).collect();
    assert_eq!(run(&["--verbose", "-"], &lines).err, all);
    assert_eq!(run(&["-"], "nonsense\n".repeat(3)).err, first);
    let fourth = run(&["-"], "nonsense\n".repeat(4)).err;
    assert!(fourth.ends_with("and 1 more line without a message (`--verbose` reports it)\n"));
}

#[test]
fn ends_with_zero_whatever_the_lines() {
    let ran = run(&["-"], "nonsense\n");
    assert_eq!(
        (ran.code, &*ran.err),
        (0, "line 1: not JSON: expected an object\n")
    );
}

#[test]
fn explains_itself() {
    for option in ["-h", "--help"] {
        let ran = run(&[option], "");
        assert_eq!((ran.code, &*ran.out, &*ran.err), (0, USAGE, ""));
    }
}

#[test]
fn refuses_wrong_options() {
    let table: [(&[&str], &str); 4] = [
        (&[], "no FILE"),
        (&["--print", "--verbose"], "no FILE"),
        (&["--fast", "-"], "unknown option '--fast'"),
        (&["-", "-"], "more than one FILE"),
    ];
    for (args, reason) in table {
        let ran = run(args, "");
        assert_eq!((ran.code, &*ran.out), (2, ""));
        assert_eq!(ran.err, format!("shop: {reason}\n\n{USAGE}"));
    }
}

#[test]
fn says_which_file_it_cannot_read() {
    let ran = run(&["--", "--nowhere.jsonl"], "");
    assert_eq!((ran.code, &*ran.out), (2, ""));
    assert!(
        ran.err.starts_with("shop: cannot read '--nowhere.jsonl': "),
        "{}",
        ran.err
    );

    let folder = env!("CARGO_MANIFEST_DIR");
    let ran = run(&[folder], "");
    assert_eq!((ran.code, &*ran.out), (2, ""));
    assert!(
        ran.err
            .starts_with(&format!("shop: cannot read '{folder}': ")),
        "{}",
        ran.err
    );
}

/// A reader that returns its bytes, and then fails.
struct Torn<'a>(&'a [u8]);

impl Read for Torn<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::other("the line is cut")),
            count => Ok(count),
        }
    }
}

#[test]
fn sums_up_what_it_did_before_the_input_failed() {
    let ran = run_reading(&["-"], Torn(SMALL.as_bytes()));
    assert_eq!(ran.code, 2);
    assert_eq!(
        ran.err,
        "shop: cannot read standard input: the line is cut\n"
    );
    assert!(
        ran.out
            .contains("\ntotal                  16        8        8"),
        "{}",
        ran.out
    );
}

/// A writer that accepts nothing.
struct Closed(io::ErrorKind);

impl io::Write for Closed {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn stops_quietly_when_its_reader_has_gone() {
    for (kind, expected) in [
        (io::ErrorKind::BrokenPipe, 0),
        (io::ErrorKind::StorageFull, 2),
    ] {
        let mut err = Vec::new();
        let args = ["--print", "-"].map(OsString::from);
        let code = super::run(args, SMALL.as_bytes(), &mut Closed(kind), &mut err);
        assert_eq!((code, err.is_empty()), (expected, expected == 0));
    }
}
