//! The client's log lines and spans in Python's `logging`, under the logger `storycore`: kept in a bounded queue, and handed
//! over in batches when the interpreter is held anyhow. A program that does not use `logging` pays nothing.

use std::{
    collections::VecDeque,
    fmt::Write as _,
    sync::{
        Mutex, MutexGuard, Once, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use pyo3::{exceptions::PyException, prelude::*, types::PyDict};
use serde_json::{Map, Value};
use storycore::process::PerProcess;
use storycore_log_lines as lines;
use tracing::{
    Event, Level, Metadata, Subscriber,
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
    subscriber::Interest,
};
use tracing_serde::fields::AsMap;
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt as _},
    registry::LookupSpan,
};

use crate::convert;

/// Lines that wait to be handed over; more are counted and dropped.
const MOST: usize = 1024;

/// How often the logger is asked for its level.
const LOOK: Duration = Duration::from_secs(1);

/// Those of this process: what its parent's calls told is handed over there, by threads that might have held the lock.
static QUEUE: PerProcess<Queue> = PerProcess::nobodys(Queue::new());
static NUMBER: AtomicU64 = AtomicU64::new(1);

/// The most that is wanted: 0 is nothing, 1 errors, up to 5, everything.
static WANTED: AtomicU8 = AtomicU8::new(0);

struct Queue {
    lines: Mutex<VecDeque<Line>>,
    has_lines: AtomicBool,
    dropped: AtomicU64,
    /// When the logger was asked for its level.
    looked: Mutex<Option<Instant>>,
}

impl Queue {
    const fn new() -> Self {
        Self {
            lines: Mutex::new(VecDeque::new()),
            has_lines: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
            looked: Mutex::new(None),
        }
    }

    fn own() -> &'static Self {
        QUEUE.get(|_| Self::new())
    }

    fn looked(&self, at: Option<Instant>) {
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    fn lines(&self) -> MutexGuard<'_, VecDeque<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, line: Line) {
        let mut lines = self.lines();
        if lines.len() < MOST {
            lines.push_back(line);
        } else {
            self.dropped.fetch_add(1, Relaxed);
        }
        self.has_lines.store(true, Relaxed);
    }

    /// Puts back what was not handed over, before what came meanwhile.
    fn keep_on(&self, rest: VecDeque<Line>) {
        let mut lines = self.lines();
        let later = std::mem::replace(&mut *lines, rest);
        lines.extend(later);
        self.has_lines.store(!lines.is_empty(), Relaxed);
    }
}

struct Line {
    level: Level,
    message: String,
    /// Of a span: its name, its parent's, its place in the order in which spans began, and its fields.
    span: Option<Span>,
    fields: Map<String, Value>,
}

struct Span {
    name: &'static str,
    parent: Option<&'static str>,
    number: u64,
}

/// Asks the logger what it wants to hear, if `logging` is there; nothing is imported for it.
///
/// # Errors
/// What a handler of a signal raised meanwhile, as that of Ctrl-C does.
pub(crate) fn look(py: Python<'_>) -> PyResult<()> {
    let queue = Queue::own();
    queue.looked(Some(Instant::now()));
    let level = || -> PyResult<u8> {
        let modules = py.import("sys")?.getattr("modules")?;
        let Some(logging) = modules.cast::<PyDict>()?.get_item("logging")? else { return Ok(0) };
        let logger = logging.call_method1("getLogger", ("storycore",))?;
        let level: i64 = logger.call_method0("getEffectiveLevel")?.extract()?;
        Ok(match level {
            ..=9 => 5,
            10..=19 => 4,
            20..=29 => 3,
            30..=39 => 2,
            _ => 1,
        })
    };
    let wanted = match level() {
        Ok(wanted) => wanted,
        Err(error) if is_of_logging(py, &error) => 0,
        Err(error) => {
            queue.looked(None);
            return Err(error);
        }
    };
    if WANTED.swap(wanted, Relaxed) == wanted {
        return Ok(());
    }
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        let subscriber = tracing_subscriber::registry().with(ToLogging);
        // The extension has a tracing of its own: nothing else sets this.
        let _ = tracing::subscriber::set_global_default(subscriber);
    });
    tracing::callsite::rebuild_interest_cache();
    Ok(())
}

/// Whether a logger, a filter or a handler failed, for which no call is to fail. Anything else is on its way to the whole program.
fn is_of_logging(py: Python<'_>, error: &PyErr) -> bool {
    error.is_instance_of::<PyException>(py)
}

/// Hands over what is there.
///
/// # Errors
/// What a handler of a signal raised meanwhile, as that of Ctrl-C does.
pub(crate) fn flush(py: Python<'_>) -> PyResult<()> {
    let queue = Queue::own();
    let is_due = queue
        .looked
        .try_lock()
        .is_ok_and(|looked| looked.is_none_or(|looked| looked.elapsed() > LOOK));
    if is_due {
        look(py)?;
    }
    if !queue.has_lines.load(Relaxed) {
        return Ok(());
    }
    let mut batch = {
        let mut lines = queue.lines();
        queue.has_lines.store(false, Relaxed);
        std::mem::take(&mut *lines)
    };
    let dropped = queue.dropped.swap(0, Relaxed);
    match hand_over(py, &mut batch, dropped) {
        Err(error) if is_of_logging(py, &error) => error.write_unraisable(py, None),
        Err(error) => {
            queue.keep_on(batch);
            return Err(error);
        }
        Ok(()) => {}
    }
    Ok(())
}

fn hand_over(py: Python<'_>, batch: &mut VecDeque<Line>, dropped: u64) -> PyResult<()> {
    let logging = py.import("logging")?;
    let logger = logging.call_method1("getLogger", ("storycore",))?;
    while let Some(line) = batch.pop_front() {
        let level = match line.level {
            Level::ERROR => 40,
            Level::WARN => 30,
            Level::INFO => 20,
            Level::DEBUG => 10,
            Level::TRACE => 5,
        };
        if !logger.call_method1("isEnabledFor", (level,))?.is_truthy()? {
            continue;
        }
        let told = PyDict::new(py);
        if let Some(span) = &line.span {
            told.set_item("span", span.name)?;
            told.set_item("parent", span.parent)?;
            told.set_item("number", span.number)?;
        }
        told.set_item("fields", convert::dict(py, &line.fields)?)?;
        let extra = PyDict::new(py);
        extra.set_item("storycore", told)?;
        let record = logger.call_method1(
            "makeRecord",
            ("storycore", level, "storycore", 0, line.message, (), py.None(), py.None(), extra),
        )?;
        logger.call_method1("handle", (record,))?;
    }
    if dropped > 0 {
        logger.call_method1("warning", ("%d lines of the client were dropped", dropped))?;
    }
    Ok(())
}

fn keep(line: Line) {
    Queue::own().keep(line);
}

/// Whether it is of the client, and as important as is wanted.
fn is_wanted(metadata: &Metadata<'_>) -> bool {
    let rank = match *metadata.level() {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    };
    rank <= WANTED.load(Relaxed) && metadata.target().starts_with("storycore")
}

struct ToLogging;

/// What is kept of a span while it lasts.
struct Begun {
    at: Instant,
    number: u64,
    fields: Map<String, Value>,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for ToLogging {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if is_wanted(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        is_wanted(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match WANTED.load(Relaxed) {
            0 => LevelFilter::OFF,
            1 => LevelFilter::ERROR,
            2 => LevelFilter::WARN,
            3 => LevelFilter::INFO,
            4 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        })
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let number = NUMBER.fetch_add(1, Relaxed);
        let begun =
            Begun { at: Instant::now(), number, fields: lines::named(attributes.field_map()) };
        span.extensions_mut().insert(begun);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(begun) = span.extensions_mut().get_mut::<Begun>() {
            begun.fields.extend(lines::named(values.field_map()));
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(begun) = span.extensions_mut().remove::<Begun>() else { return };
        let message = lines::ended(span.name(), &begun.fields, begun.at.elapsed());
        let parent = span.parent().map(|parent| parent.name());
        let told = Span { name: span.name(), parent, number: begun.number };
        let level = *span.metadata().level();
        keep(Line { level, message, span: Some(told), fields: begun.fields });
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = lines::named(event.field_map());
        let mut message = match fields.remove("message") {
            Some(Value::String(message)) => message,
            _ => String::new(),
        };
        for (name, value) in &fields {
            let _ = write!(message, " {name}={value}");
        }
        keep(Line { level: *event.metadata().level(), message, span: None, fields });
    }
}
