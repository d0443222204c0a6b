//! Every route of the table, asked by every kind of caller.

use std::sync::atomic::{AtomicU16, Ordering};

use framecast::{
    config::Role,
    web::{Of, ROUTES, Row, Rule},
};

use crate::{
    raw_client::{Client, Head},
    relay::TestRelay,
};

/// The stream that routes with a name are asked for.
const STREAM: &str = "x";

/// What the stream's own publishers show.
const OF_THE_STREAM: &str = "of-the-stream";

/// Somebody who asks.
struct Asking {
    who: &'static str,
    token: Option<&'static str>,
    /// What the token is good for, and whether for all streams.
    holds: Option<(Role, Reach)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// The stream that is asked for, and no other.
    This,
    /// Another.
    Other,
    All,
}

impl Asking {
    fn may(&self, rule: Rule, everybody_views: bool) -> bool {
        let Rule::Needs(role, of) = rule else { return true };
        if role == Role::View && everybody_views {
            return true;
        }
        self.holds.is_some_and(|(held, reach)| {
            held >= role
                && match of {
                    Of::Any => true,
                    Of::All => reach == Reach::All,
                    Of::Named | Of::Default | Of::Asked(_) | Of::Counted | Of::Camera => {
                        reach != Reach::Other
                    }
                }
        })
    }

    /// The status that a refusal has: a stream's own token is known to who may push to it, and to nobody else.
    fn refused_with(&self) -> u16 {
        let is_known = self.holds.is_some() && self.token != Some(OF_THE_STREAM);
        if is_known { 403 } else { 401 }
    }
}

fn address_of(row: &Row) -> String {
    // The stream is the first: number 0 of those who count from 0.
    let number = if matches!(row.rule, Rule::Needs(_, Of::Counted | Of::Camera)) { "1" } else { "0" };
    let path =
        row.path.replace("{name}", STREAM).replace("{asset}", "base.css").replace("{n:[0-9]+}", number);
    match row.rule {
        Rule::Needs(_, Of::Asked(key)) => format!("{path}?{key}={STREAM}"),
        _ => path,
    }
}

async fn ask(relay: &TestRelay, method: &str, target: &str, token: Option<&str>) -> Head {
    // An address of its own for each, so that nobody waits for the others' wrong tokens.
    static ASKED: AtomicU16 = AtomicU16::new(0);
    let [high, low] = ASKED.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let mut client = Client::connect(relay.address()).await;
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\
                           X-Forwarded-For: 10.0.{high}.{low}\r\n{token}\r\n"
    );
    client.send(request.as_bytes()).await;
    client.head().await
}

async fn assert_matrix(relay: &TestRelay, everybody_views: bool, callers: &[Asking]) {
    for row in ROUTES {
        for method in row.methods {
            for caller in callers {
                let head = ask(relay, method.as_str(), &address_of(row), caller.token).await;
                let case =
                    format!("{method} {} ({:?}) by {}: {}", row.path, row.rule, caller.who, head.status);
                if row.path.starts_with("/input_")
                    && caller.holds.is_some_and(|(_, reach)| reach == Reach::Other)
                {
                    // It shows one stream, which the handler asks the caller for.
                    assert_eq!(head.status, if everybody_views { 200 } else { 403 }, "{case}");
                } else if row.path == "/login" {
                    // Nobody logs in with an empty form.
                    assert!([200, 401].contains(&head.status), "{case}");
                } else if caller.may(row.rule, everybody_views) {
                    assert!(![401, 403, 404, 405, 429].contains(&head.status), "{case}");
                } else {
                    assert_eq!(head.status, caller.refused_with(), "{case}");
                    assert_eq!(head.get("content-type"), Some("application/problem+json"), "{case}");
                    assert_eq!(head.get("www-authenticate").is_some(), head.status == 401, "{case}");
                }
            }
        }
    }
}

const NOBODY: Asking = Asking { who: "nobody", token: None, holds: None };
const WRONG: Asking = Asking { who: "a wrong token", token: Some("guessed"), holds: None };

#[tokio::test]
async fn without_access_rules_everybody_views_and_only_the_admin_changes() {
    // No placeholder: a snapshot is asked for, too.
    let relay = TestRelay::start(
        "server: {trusted_proxies: 127.0.0.1}\n\
         streams: {x: {replay: 10s, source: {type: push, token: of-the-stream}}, y: {source: {type: pattern}}}",
    );
    let publisher =
        Asking { who: "the publisher", token: Some(OF_THE_STREAM), holds: Some((Role::Push, Reach::This)) };
    let admin =
        Asking { who: "the admin", token: Some("admin-of-tests"), holds: Some((Role::Admin, Reach::All)) };
    assert_matrix(&relay, true, &[NOBODY, WRONG, publisher, admin]).await;
}

/// Tokens by what they may do; `framecast token` makes longer ones.
fn with_rules() -> String {
    let token = |name: &str, rest: &str| {
        let hash = framecast::auth::token::hash(name);
        format!("    {name}: {{hash: \"{hash}\", {rest}}}\n")
    };
    let tokens = [
        token("views", "role: view"),
        token("views-x", "role: view, streams: x"),
        token("views-y", "role: view, streams: [y]"),
        token("pushes", "role: push"),
        token("pushes-x", "role: push, streams: [x]"),
        token("administers", "role: admin"),
        token("administers-x", "role: admin, streams: [x]"),
    ];
    format!(
        "server: {{trusted_proxies: 127.0.0.1}}\nauth:\n  tokens:\n{}streams:\n  x: {{replay: 10s, source: {{type: push, token: of-the-stream}}}}\n  \
         y: {{source: {{type: pattern}}}}\n",
        tokens.concat()
    )
}

#[tokio::test]
async fn with_access_rules_each_may_do_what_its_role_says_for_its_streams() {
    let relay = TestRelay::start(&with_rules());
    let holder = |token, role, reach| Asking { who: token, token: Some(token), holds: Some((role, reach)) };
    let callers = [
        NOBODY,
        WRONG,
        holder("views", Role::View, Reach::All),
        holder("views-x", Role::View, Reach::This),
        holder("views-y", Role::View, Reach::Other),
        holder("pushes", Role::Push, Reach::All),
        holder("pushes-x", Role::Push, Reach::This),
        holder("administers", Role::Admin, Reach::All),
        holder("administers-x", Role::Admin, Reach::This),
        holder("admin-of-tests", Role::Admin, Reach::All),
    ];
    assert_matrix(&relay, false, &callers).await;
}

#[tokio::test]
async fn pages_of_other_sites_change_nothing_whoever_is_asked() {
    let relay = TestRelay::start("streams: {x: {source: {type: push, token: none}}}");
    let with = async |target: &str, method: &str, headers: &[(&str, &str)]| {
        Client::ask(relay.address(), method, target, headers, b"").await.head.status
    };
    for row in ROUTES.iter().filter(|row| !row.methods.contains(&actix_web::http::Method::GET)) {
        for headers in [
            &[("Origin", "http://evil.example")][..],
            &[("Origin", "null")],
            &[("Origin", "http://test:81")],
            &[("Sec-Fetch-Site", "cross-site")],
            &[("Sec-Fetch-Site", "same-site"), ("Origin", "http://test")],
        ] {
            let headers = [headers, &[("Authorization", "Bearer admin-of-tests")]].concat();
            for method in row.methods {
                assert_eq!(with(&address_of(row), method.as_str(), &headers).await, 403, "{headers:?}");
            }
        }
    }
    let frame = "/streams/x/frame";
    for headers in [
        &[][..],
        &[("Origin", "http://test")],
        &[("Origin", "https://test")],
        &[("Sec-Fetch-Site", "same-origin")],
        &[("Sec-Fetch-Site", "none")],
    ] {
        assert_eq!(with(frame, "POST", headers).await, 415, "{headers:?}: an empty body is no picture");
    }
    assert_eq!(
        with("/streams/x", "HEAD", &[("Origin", "http://evil.example")]).await,
        200,
        "it may be shown"
    );
}
