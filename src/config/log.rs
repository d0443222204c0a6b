//! `log:`.

use super::{
    model::{AccessLog, LogConfig, LogFormat},
    reader::Reader,
    schema,
    units::Wrong,
};

/// Reads the section. None if something is wrong with it, which was noted.
pub(super) fn read(reader: &Reader<'_>) -> Option<LogConfig> {
    let format = reader.get(&schema::LOG_FORMAT, |text| {
        text.parse::<LogFormat>().map_err(|want| Wrong::want_not(want, text))
    });
    let access = reader.get(&schema::LOG_ACCESS, |text| match text {
        "notable" => Ok(AccessLog::Notable),
        "all" => Ok(AccessLog::All),
        "none" => Ok(AccessLog::None),
        _ => Err(Wrong::want_not("must be notable, all or none", text)),
    });
    Some(LogConfig { format: format?, access: access? })
}
