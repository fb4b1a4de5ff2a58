//! The spans that the feature `tracing` adds.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs::File;
use std::sync::{Arc, Mutex};

use engine::operation::{Operations, Read, Sync};
use engine::{BackendKind, Options};
use tests::files::TempFile;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

type Fields = BTreeMap<&'static str, String>;

/// Keeps the fields of each span, and whether it was closed.
#[derive(Clone, Debug, Default)]
struct Keeper(Arc<Mutex<Vec<(Fields, bool)>>>);

struct Visitor<'a>(&'a mut Fields);

impl Visit for Visitor<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl Subscriber for Keeper {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "engine"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut spans = self.0.lock().unwrap();
        let mut fields = Fields::new();
        span.record(&mut Visitor(&mut fields));
        spans.push((fields, false));
        Id::from_u64(spans.len() as u64)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        values.record(&mut Visitor(&mut self.0.lock().unwrap()[span.into_u64() as usize - 1].0));
    }

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, _event: &Event<'_>) {}

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}

    fn try_close(&self, span: Id) -> bool {
        self.0.lock().unwrap()[span.into_u64() as usize - 1].1 = true;
        true
    }
}

#[test]
fn each_operation_has_a_span_that_says_what_became_of_it() {
    for kind in [BackendKind::Uring, BackendKind::Aio, BackendKind::Threads] {
        let keeper = Keeper::default();
        tracing::subscriber::with_default(keeper.clone(), || {
            let file = TempFile::new(1000);
            let write_only = File::options().write(true).open(file.path()).unwrap();
            let file = Arc::new(file.file().try_clone().unwrap());
            let mut engine = Options::new(4).only(kind).build::<Operations<Arc<File>, Vec<u8>>>().unwrap();
            engine.add(Read::new(file.clone(), vec![0; 100], 7).into()).unwrap();
            engine.wait().unwrap().for_each(drop);
            engine.add(Read::new(Arc::new(write_only), vec![0; 10], 0).into()).unwrap();
            engine.wait().unwrap().for_each(drop);
            engine.add(Sync::data(file).into()).unwrap();
            let mut completions = engine.wait().unwrap();
            completions.next_done().unwrap().add_again().unwrap();
            engine.drain(drop).unwrap();
        });
        let spans = keeper.0.lock().unwrap();
        let told: Vec<_> = spans
            .iter()
            .map(|(fields, closed)| {
                assert!(closed, "{kind}: {fields:?}");
                let get = |name| fields.get(name).map_or("", String::as_str);
                (get("kind"), get("offset"), get("len"), get("transferred"), get("errno"))
            })
            .collect();
        let errno = libc::EBADF.to_string();
        assert_eq!(
            told,
            [
                ("\"read\"", "7", "100", "100", ""),
                ("\"read\"", "0", "10", "0", &errno),
                ("\"fdatasync\"", "0", "0", "0", ""),
                ("\"fdatasync\"", "0", "0", "0", ""),
            ],
            "{kind}"
        );
    }
}
