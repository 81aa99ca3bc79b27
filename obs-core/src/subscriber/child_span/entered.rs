//! The spans that this thread has entered, each with the one that was current before.

use std::cell::RefCell;

use tracing_core::span::Id;

use crate::context::replace_span;
use crate::id::SpanId;

thread_local! {
    static ENTERED: RefCell<Vec<(Id, Option<SpanId>)>> = const { RefCell::new(Vec::new()) };
}

/// A thread enters no more spans at once, unless it leaves them on another thread.
const MAX: usize = 256;

/// Makes `span`, which `tracing` knows as `id`, the current one.
pub(super) fn push(id: &Id, span: SpanId) {
    let before = replace_span(Some(span));
    let _ = ENTERED.try_with(|stack| {
        let mut stack = stack.borrow_mut();
        if stack.len() >= MAX {
            stack.remove(0);
        }
        stack.push((id.clone(), before));
    });
}

/// Leaves a span; `false` if this thread did not enter it. `tracing` allows any order: the one
/// entered next after it takes over its memory of what was before.
pub(super) fn pop(id: &Id) -> bool {
    let left = ENTERED.try_with(|stack| {
        let mut stack = stack.borrow_mut();
        let at = stack.iter().rposition(|(entered, _)| entered == id)?;
        let (_, before) = stack.remove(at);
        Some(match stack.get_mut(at) {
            Some(next) => {
                next.1 = before;
                None
            }
            None => Some(before),
        })
    });
    let Ok(Some(left)) = left else { return false };
    if let Some(before) = left {
        replace_span(before);
    }
    true
}
