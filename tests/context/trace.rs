//! The W3C trace parent: parsed, written, rejected with a reason, and passed on.

use arcbus::{Context, TraceParent, TraceParentError};

fn refusal(header: &str) -> TraceParentError {
    header.parse::<TraceParent>().expect_err("malformed")
}

#[test]
fn a_malformed_header_is_refused_with_field_and_reason() {
    let table = [
        ("", "header", "found 0 bytes, expected 55"),
        (
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "header",
            "found 60 bytes, expected 55",
        ),
        (
            "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
            "header",
            "found '_' at byte 35, expected '-'",
        ),
        (
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "version",
            "found ff, expected 00 to fe",
        ),
        (
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "trace-id",
            "found all zeros",
        ),
        (
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "parent-id",
            "found all zeros",
        ),
        (
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0G",
            "trace-flags",
            "found 'G' at byte 54, expected a lower-case hex digit",
        ),
    ];
    for (header, field, reason) in table {
        let error = refusal(header);
        assert_eq!(error.field(), field, "{header}");
        let text = error.to_string();
        assert!(
            text.starts_with(&format!("traceparent: {field}: {reason}")),
            "{text}"
        );
    }
}

#[test]
fn a_derived_context_inherits_the_trace_of_its_parent() {
    let caller = TraceParent::new([1; 16], [2; 8], 1).expect("no zeros");
    let parent = Context::new().trace_parent(caller);
    let child = parent.derive().with("a value");
    assert_eq!(child.trace(), Some(&caller));
    let ours = caller.child([3; 8]);
    let grandchild = child.derive().trace_parent(ours);
    assert_eq!(grandchild.trace(), Some(&ours));
    assert_eq!(parent.trace(), Some(&caller));
    assert_eq!(Context::new().trace(), None);
}
