//! The terminal: taken over while it is used, and given back however this ends.

use std::{io, thread};

use anyhow::Context;
use ratatui::{
    DefaultTerminal, Frame,
    crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
};
use tokio::sync::mpsc;

use super::board::Key;

/// Keys somebody may be ahead of the screen.
const KEYS_AHEAD: usize = 64;

/// The terminal in raw mode, on its other screen.
pub(super) struct Screen(DefaultTerminal);

/// What comes from the terminal.
pub(super) enum Input {
    Key(Key),
    /// Another size, or a key that means nothing: drawn anew all the same.
    Other,
}

impl Screen {
    /// Takes the terminal. A panic gives it back, too.
    pub(super) fn open() -> anyhow::Result<Self> {
        ratatui::try_init().map(Self).context("the terminal cannot be used")
    }

    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.0.draw(draw).map(drop)
    }

    /// What is pressed, from now on. The thread that waits for it ends with the process.
    pub(super) fn keys() -> mpsc::Receiver<Input> {
        let (sender, receiver) = mpsc::channel(KEYS_AHEAD);
        thread::spawn(move || {
            while let Ok(event) = event::read() {
                if sender.blocking_send(input(&event)).is_err() {
                    return;
                }
            }
        });
        receiver
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

fn input(event: &Event) -> Input {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => key_of(key).map_or(Input::Other, Input::Key),
        _ => Input::Other,
    }
}

fn key_of(key: &KeyEvent) -> Option<Key> {
    Some(match key.code {
        KeyCode::Char('c' | 'd') if key.modifiers.contains(KeyModifiers::CONTROL) => Key::Interrupt,
        KeyCode::Char(_) if key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => {
            return None;
        }
        KeyCode::Char(c) => Key::Char(c),
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Backspace => Key::Backspace,
        _ => return None,
    })
}

/// Ends at a signal that ends the program, so that the terminal is given back before.
#[cfg(unix)]
pub(super) fn told_to_end() -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
    let mut hang_up = signal(SignalKind::hangup()).context("cannot listen for signals")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    })
}

/// Where there are no such signals.
#[cfg(not(unix))]
pub(super) fn told_to_end() -> anyhow::Result<impl Future<Output = ()>> {
    Ok(std::future::pending())
}
