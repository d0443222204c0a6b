//! `server.frame_ancestors` and `server.cross_origin_resource_policy`.

use url::Url;

use super::{
    model::{Ancestor, FrameAncestors},
    reader::Reader,
    schema::FRAME_ANCESTORS,
    units::Wrong,
};

/// Reads the list, in which nothing may stand beside `none`.
pub(super) fn frame_ancestors(reader: &Reader<'_>) -> FrameAncestors {
    let read = reader.list(&FRAME_ANCESTORS, ancestor);
    if let (true, Some((_, at))) = (read.len() > 1, read.iter().find(|(read, _)| read.is_none())) {
        reader.wrong_at(*at, FRAME_ANCESTORS.name, "none can stand alone only");
    }
    FrameAncestors(read.into_iter().filter_map(|(ancestor, _)| ancestor).collect())
}

/// Reads `server.cross_origin_resource_policy`; true if browsers are to show pictures in pages of this site
/// only.
pub(super) fn same_site_only(text: &str) -> Result<bool, Wrong> {
    match text {
        "same-site" => Ok(true),
        "none" => Ok(false),
        _ => Err(Wrong::want_not("must be same-site or none", text)),
    }
}

fn ancestor(text: &str) -> Result<Option<Ancestor>, Wrong> {
    match text {
        "none" => Ok(None),
        "self" => Ok(Some(Ancestor::Own)),
        "*" => Ok(Some(Ancestor::Everybody)),
        origin => match Url::parse(origin) {
            Ok(url) if url.origin().ascii_serialization() == origin => {
                Ok(Some(Ancestor::Origin(origin.to_owned())))
            }
            _ => Err(Wrong::want("must be self, \"*\", an origin such as https://example.org, or none")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_nothing_but_an_origin() {
        assert_eq!(ancestor("self"), Ok(Some(Ancestor::Own)));
        assert_eq!(ancestor("*"), Ok(Some(Ancestor::Everybody)));
        assert_eq!(ancestor("none"), Ok(None));
        let home = "https://home.example:8123";
        assert_eq!(ancestor(home), Ok(Some(Ancestor::Origin(home.into()))));
        for text in
            ["", "home.example", "https://home.example/", "'self'", "https://a; script-src *", "a\r\nb"]
        {
            assert!(ancestor(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_header_says_what_is_meant() {
        let said = |ancestors: Vec<Ancestor>| {
            let ancestors = FrameAncestors(ancestors);
            (ancestors.to_string(), ancestors.frame_options())
        };
        assert_eq!(said(vec![]), ("frame-ancestors 'none'".to_owned(), Some("DENY")));
        assert_eq!(said(vec![Ancestor::Own]), ("frame-ancestors 'self'".to_owned(), Some("SAMEORIGIN")));
        let two = vec![Ancestor::Own, Ancestor::Origin("https://a.example".into())];
        assert_eq!(said(two), ("frame-ancestors 'self' https://a.example".to_owned(), None));
    }
}
