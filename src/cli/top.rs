//! `framecast top`: what a running framecast's streams are doing, live in a terminal, or once as a plain table.

mod ask;
mod board;
mod draw;
mod plain;
mod report;
mod screen;
mod words;

use std::{io::IsTerminal, process::ExitCode, time::Duration};

use anyhow::bail;
use clap::Args;
use tokio::sync::mpsc;

use self::{
    ask::Server,
    board::{Board, Heard},
    screen::{Input, Screen},
};
use super::print;

/// What the server and the keyboard may be ahead of the screen.
const HEARD_AHEAD: usize = 16;

/// Of which framecast, and how.
#[derive(Debug, Args)]
#[command(after_help = "Keys:\n  \
    q quit   up, down select   Enter details   s sort by the next column   r reverse   / filter   p pause\n\n\
    Examples:\n  \
    framecast top\n  \
    framecast top https://cameras.example/ --token TOKEN\n  \
    framecast top --once | grep waiting")]
pub(super) struct TopArguments {
    /// Where framecast is, with its base path if it has one; a user's name and password may stand in it
    #[arg(default_value = "http://127.0.0.1:8080/")]
    url: String,
    /// What to show, if watching needs a token
    #[arg(long, env = "FRAMECAST_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Look so often, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = interval)]
    every: f64,
    /// Look for one such interval, print a table, and end: for scripts, and without a terminal
    #[arg(long)]
    once: bool,
    /// Accept any certificate
    #[arg(long)]
    insecure: bool,
}

fn interval(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.2..=60.0).contains(&seconds) => Ok(seconds),
        _ => Err("an interval is a number of seconds from 0.2 to 60".to_owned()),
    }
}

pub(super) fn run(arguments: TopArguments) -> anyhow::Result<ExitCode> {
    let server = Server::new(&arguments.url, arguments.token.as_deref(), arguments.insecure)?;
    let every = Duration::from_secs_f64(arguments.every);
    let at_a_terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    if !arguments.once && !at_a_terminal {
        bail!(
            "top needs a terminal for its input and output; `framecast top --once` prints a table anywhere"
        );
    }
    actix_rt::System::new().block_on(async {
        if arguments.once { once(server, every).await } else { live(server, every).await }
    })
}

/// Two looks, since rates are differences.
async fn once(mut server: Server, every: Duration) -> anyhow::Result<ExitCode> {
    let mut board = Board::new(server.shown().to_owned());
    board.hear(Heard::Report(Box::new(server.report().await?)));
    tokio::time::sleep(every).await;
    board.hear(Heard::Report(Box::new(server.report().await?)));
    print(plain::table(&board));
    Ok(ExitCode::SUCCESS)
}

async fn live(server: Server, every: Duration) -> anyhow::Result<ExitCode> {
    let mut board = Board::new(server.shown().to_owned());
    let (sender, mut heard) = mpsc::channel(HEARD_AHEAD);
    let asking = actix_rt::spawn(ask::keep_asking(server, every, sender));
    let mut screen = Screen::open()?;
    let mut keys = Screen::keys();
    let mut ended = std::pin::pin!(screen::told_to_end()?);
    let colours = draw::Colours::of_environment();
    while !board.is_done() {
        screen.draw(|frame| draw::draw(frame, &mut board, colours))?;
        tokio::select! {
            Some(heard) = heard.recv() => board.hear(heard),
            input = keys.recv() => match input {
                Some(Input::Key(key)) => board.press(key),
                Some(Input::Other) => {}
                // The terminal is gone.
                None => break,
            },
            () = &mut ended => break,
            // Countdowns go on.
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }
    asking.abort();
    Ok(ExitCode::SUCCESS)
}
