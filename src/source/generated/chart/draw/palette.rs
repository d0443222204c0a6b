//! The colours of charts.

use crate::{
    config::{Color, Theme},
    imaging::raster::canvas::rgb,
};

/// The colours of one theme.
pub(super) struct Palette {
    pub(super) top: Color,
    pub(super) bottom: Color,
    pub(super) title: Color,
    pub(super) text: Color,
    pub(super) faint: Color,
    pub(super) grid: Color,
    pub(super) axis: Color,
    pub(super) series: [Color; 8],
}

static DARK: Palette = Palette {
    top: rgb(0x1d232c),
    bottom: rgb(0x11151b),
    title: rgb(0xf3f5f8),
    text: rgb(0xc2c9d3),
    faint: rgb(0x8b95a3),
    grid: rgb(0x2a313c),
    axis: rgb(0x4a5462),
    series: [
        rgb(0x5aa9ff),
        rgb(0xffb454),
        rgb(0x6fdc9c),
        rgb(0xff6f91),
        rgb(0xb794ff),
        rgb(0x4dd8e6),
        rgb(0xf2e15c),
        rgb(0xff8a5c),
    ],
};

static LIGHT: Palette = Palette {
    top: rgb(0xffffff),
    bottom: rgb(0xf6f8fa),
    title: rgb(0x1b212a),
    text: rgb(0x3a4452),
    faint: rgb(0x6b7685),
    grid: rgb(0xe4e8ed),
    axis: rgb(0xb4bcc7),
    series: [
        rgb(0x1f6feb),
        rgb(0xd97706),
        rgb(0x15803d),
        rgb(0xdb2777),
        rgb(0x7c3aed),
        rgb(0x0891b2),
        rgb(0xa16207),
        rgb(0xdc2626),
    ],
};

/// Returns the colours of `theme`.
pub(super) fn palette(theme: Theme) -> &'static Palette {
    match theme {
        Theme::Dark => &DARK,
        Theme::Light => &LIGHT,
    }
}
