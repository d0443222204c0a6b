//! The deviations of sources from the standard (RFC 2046).

macro_rules! quirks {
    ($($(#[$doc:meta])+ $variant:ident $name:literal $sentence:literal)+) => {
        /// A deviation of a source from RFC 2046. It is counted, and shown by `framecast probe`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Quirk {
            $($(#[$doc])+ $variant,)+
        }

        impl Quirk {
            /// Every quirk, in the order of [`Quirk::index`].
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns a short name in kebab-case, for JSON and metrics.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// Returns a sentence for people.
            pub fn describe(self) -> &'static str {
                match self { $(Self::$variant => $sentence),+ }
            }
        }
    };
}

quirks! {
    /// The announced boundary starts with dashes, or the body's lacks them (Panasonic, Sony).
    BoundaryDashes "boundary-dashes"
        "the boundary's dashes differ between the answer's header and its body"
    /// `boundary="x"`: legal, but several clients take the quotes for a part of it.
    QuotedBoundary "quoted-boundary"
        "the boundary is quoted in the answer's header"
    /// There are delimiters, but no boundary was announced.
    NoBoundary "no-boundary"
        "the answer's header names no boundary; it was learnt from the body"
    /// The delimiters are not those that were announced.
    OtherBoundary "other-boundary"
        "the body uses another boundary than the answer's header names"
    /// The body starts with a part's headers or with SOI (ESP32, Tasmota).
    FirstDelimiterMissing "first-delimiter-missing"
        "the first part is not introduced by a delimiter"
    /// A newline instead of a delimiter between parts (Axis).
    DelimiterMissing "delimiter-missing"
        "parts follow each other without a delimiter"
    /// Each delimiter looks like the last one (Foscam).
    EveryDelimiterCloses "every-delimiter-closes"
        "every delimiter ends with dashes, as only the last one may"
    /// Parts have no length (Mobotix).
    NoContentLength "no-content-length"
        "parts carry no Content-Length"
    /// `Content-Length` is not a number, or not the JPEG's length.
    BadContentLength "bad-content-length"
        "Content-Length of parts is wrong or not a number"
    /// A part has several `Content-Length` headers.
    DuplicateContentLength "duplicate-content-length"
        "parts carry several Content-Length headers"
    /// The response's `Content-Length` is larger than what is sent (Dahua, Lorex, Amcrest snapshots).
    ShortBody "short-body"
        "the picture is shorter than the response's Content-Length"
    /// A part is longer than its JPEG, according to its length.
    PaddedPart "padded-part"
        "parts are padded behind the JPEG"
    /// A line among the headers that is none (GoAhead).
    HeaderWithoutColon "header-without-colon"
        "part headers hold a line without a colon"
    /// The JPEG follows the headers directly.
    NoBlankLine "no-blank-line"
        "the blank line between part headers and JPEG is missing"
    /// Lines end with LF alone.
    BareNewlines "bare-newlines"
        "lines end with a newline alone, without carriage return"
    /// A JPEG whose part is not of type image/jpeg.
    WrongPartType "wrong-part-type"
        "parts are JPEGs but are not labelled image/jpeg"
    /// Part headers that are unusually long, or without end (D-Link).
    LongPartHeaders "long-part-headers"
        "part headers are unusually long"
    /// A part has headers, and no body.
    EmptyPart "empty-part"
        "there are empty parts"
    /// Parts that hold no JPEG; dropped.
    OtherPart "other-part"
        "there are parts that hold no JPEG"
    /// Parts that hold a PNG, which the source converts.
    PngPart "png-part"
        "there are PNG parts; each is converted"
    /// Parts that hold audio; skipped.
    AudioPart "audio-part"
        "there are audio parts; they are skipped"
    /// Further JPEGs follow in the same part.
    SeveralJpegsInPart "several-jpegs-in-part"
        "parts hold several JPEGs"
    /// The body is no multipart.
    BareJpegs "bare-jpegs"
        "JPEGs follow each other without any multipart framing"
    /// The picture data are whole, but EOI does not follow.
    MissingEoi "missing-eoi"
        "JPEGs end without their end marker; it is added"
    /// Smaller or indexed pictures (MPF: gain maps, previews) behind EOI belong to the picture.
    FurtherPictures "further-pictures"
        "thumbnails or other pictures follow the JPEG and belong to it"
    /// SOI is repeated before the first segment.
    RepeatedSoi "repeated-soi"
        "JPEGs begin with several start markers"
    /// JPEGs have no Huffman tables (USB cameras, AVI1).
    NoHuffmanTables "no-huffman-tables"
        "JPEGs come without Huffman tables; the standard ones are added"
}

impl Quirk {
    /// Returns the position in [`Quirk::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quirk_stands_at_its_index_under_a_name_of_its_own() {
        let mut names: Vec<_> = Quirk::ALL.iter().map(|quirk| quirk.as_str()).collect();
        for (index, quirk) in Quirk::ALL.iter().enumerate() {
            assert_eq!(quirk.index(), index);
            assert!(quirk.as_str().bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{quirk:?}");
            assert!(!quirk.describe().ends_with('.'));
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Quirk::ALL.len());
    }
}
