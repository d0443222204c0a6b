//! Names of newtype structs that tell the reader how a value is written, used and shown.

/// A credential: never shown.
pub(crate) const SECRET: &str = "$secret";
/// A URL: shown without its credentials; variables before its `@` and in its query are percent-encoded.
pub(crate) const URL: &str = "$url";
/// A host: credentials beside it are for it alone.
pub(crate) const HOST: &str = "$host";
/// A URL that is never shown.
pub(crate) const SECRET_URL: &str = "$secret-url";
/// The name of a file or program of this machine: refused in streams that were added over HTTP.
pub(crate) const LOCAL: &str = "$local";
/// Both a credential and local.
pub(crate) const LOCAL_SECRET: &str = "$local-secret";
/// A list, or a single value as a list of one.
pub(crate) const ONE_OR_MANY: &str = "$one-or-many";
/// A word, or a map in its place.
pub(crate) const SHORT: &str = "$short";
/// Enums whose variant is named by the key `type` of the same map, as serde's internal tags are.
pub(super) const TAGGED: [&str; 1] = ["SourceConfig"];
/// Enums whose variant is the only key of a map; the others are words.
pub(super) const KEYED: [&str; 1] = ["Step"];
