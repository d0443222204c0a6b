//! The bytes that a camera writes, in its dialect.

use testkit::dialects::{DIALECTS, Dialect};

/// The dialect of this name.
pub(crate) fn dialect(name: &str) -> &'static Dialect {
    DIALECTS.iter().find(|dialect| dialect.name == name).expect("the cameras speak dialects there are")
}

/// Another one each time; cameras beside each other are at different places of the list.
pub(crate) fn another_dialect(stream: u16, connection: usize) -> &'static Dialect {
    let spoken: Vec<_> = DIALECTS.iter().filter(|dialect| can_go_on(dialect)).collect();
    spoken[(connection + usize::from(stream) * 7) % spoken.len()]
}

/// The head of its answer; the version changes from one connection to the next.
pub(crate) fn head(dialect: &Dialect, connection: usize) -> String {
    let version = if connection.is_multiple_of(2) { "HTTP/1.0" } else { "HTTP/1.1" };
    let content_type =
        dialect.content_type.map(|value| format!("Content-Type: {value}\r\n")).unwrap_or_default();
    format!("{version} 200 OK\r\nServer: soak\r\nConnection: close\r\n{content_type}\r\n")
}

/// Returns the bytes of the dialect for `frame` after `previous`: those of both together without those of the
/// first alone.
pub(crate) fn continued(dialect: &Dialect, previous: Option<&Vec<u8>>, frame: &[u8]) -> Vec<u8> {
    let Some(previous) = previous else { return (dialect.render)(&[frame.to_vec()]) };
    let before = (dialect.render)(std::slice::from_ref(previous)).len();
    (dialect.render)(&[previous.clone(), frame.to_vec()]).split_off(before)
}

/// Some dialects end their bodies, or write pairs: those cannot be written frame by frame.
fn can_go_on(dialect: &Dialect) -> bool {
    let (one, other) = (vec![1; 100], vec![2; 100]);
    (dialect.render)(&[one.clone(), other]).starts_with(&(dialect.render)(&[one]))
}
