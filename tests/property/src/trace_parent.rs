//! The W3C trace parent: a written one is read back, and no text makes its parser panic.

use arcbus::TraceParent;
use proptest::prelude::*;

/// Returns any trace parent, except those with an id of zeros.
fn any_trace() -> impl Strategy<Value = TraceParent> {
    (any::<[u8; 16]>(), any::<[u8; 8]>(), any::<u8>())
        .prop_filter_map("an id of zeros", |(trace_id, parent_id, flags)| {
            TraceParent::new(trace_id, parent_id, flags).ok()
        })
}

/// Returns the place of a hexadecimal digit in a header, which excludes the three dashes and the
/// version.
fn any_digit_place() -> impl Strategy<Value = usize> {
    prop_oneof![3..35_usize, 36..52_usize, 53..55_usize]
}

proptest! {
    #[test]
    fn a_written_trace_parent_is_read_back(trace in any_trace()) {
        let header = trace.to_string();
        prop_assert_eq!(header.len(), 55);
        prop_assert_eq!(header.parse(), Ok(trace));
    }

    #[test]
    fn a_parsed_header_is_written_back(header in "00-[0-9a-f]{31}1-[0-9a-f]{15}1-[0-9a-f]{2}") {
        let trace: TraceParent = header.parse().expect("well formed");
        prop_assert_eq!(trace.to_string(), header);
    }

    #[test]
    fn a_child_keeps_the_trace_with_a_new_parent(trace in any_trace(), parent in any::<[u8; 8]>()) {
        let child = trace.child(parent);
        prop_assert_eq!(child.parent_id(), parent);
        prop_assert_eq!(child.trace_id(), trace.trace_id());
        prop_assert_eq!(child.flags(), trace.flags());
        prop_assert_eq!(child.is_sampled(), trace.flags() & 1 == 1);
    }

    #[test]
    fn a_wrong_digit_is_refused_with_its_position(
        trace in any_trace(),
        at in any_digit_place(),
        digit in "[^0-9a-f]",
    ) {
        let mut header = trace.to_string();
        header.replace_range(at..=at, &digit);
        let text = header.parse::<TraceParent>().expect_err("no digit").to_string();
        // A wider character makes the header longer, and the length is checked first.
        prop_assert!(digit.len() > 1 || text.contains(&format!("at byte {at}")), "{}", text);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,80}") {
        let _ = text.parse::<TraceParent>();
    }

    #[test]
    fn a_truncated_header_is_refused(trace in any_trace(), length in 0..55_usize) {
        let header = trace.to_string();
        let error = header[..length].parse::<TraceParent>().expect_err("cut");
        prop_assert_eq!(error.field(), "header");
    }
}
