//! Who is let in, how they show who they are, and what becomes of those who guess.

use framecast::{
    auth::{signed_link, token},
    config::Secret,
};
use testkit::{
    pictures::jpeg,
    raw_client::{Answer, Client},
    stream_client::{StreamViewer, push},
    web_socket,
};

use crate::TestRelay;

/// Of the passwords here.
const SALT: &str = "c2FsdHNhbHRzYWx0";

const KEY: &str = "a-key-of-thirty-two-letters-at-least";

fn yaml() -> String {
    format!(
        "server: {{trusted_proxies: 127.0.0.1}}\n\
         auth:\n  anonymous: open\n  tokens:\n    wall: {{hash: \"{}\", role: view, streams: x}}\n    \
         porch: {{hash: \"{}\", role: view, streams: y}}\n  \
         users: {{alice: {{password_hash: \"{}\", role: admin}}}}\n  link_key: {KEY}\n\
         streams:\n  x: {{source: {{type: push, token: none}}}}\n  y: {{source: {{type: pattern}}}}\n  \
         open: {{source: {{type: pattern}}}}\n",
        token::hash("token-of-the-wall"),
        token::hash("token-of-the-porch"),
        password_hash("correct horse"),
    )
}

fn password_hash(password: &str) -> String {
    use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version, password_hash::SaltString};
    let salt = SaltString::from_b64(SALT).unwrap();
    let cheap = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 1, 1, None).unwrap());
    cheap.hash_password(password.as_bytes(), &salt).unwrap().to_string()
}

/// `Authorization` of name and password.
fn basic(login: &str) -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    format!("Basic {}", BASE64_STANDARD.encode(login))
}

async fn status(relay: &TestRelay, target: &str, headers: &[(&str, &str)]) -> u16 {
    Client::ask(relay.address(), "HEAD", target, headers, b"").await.head.status
}

async fn post(relay: &TestRelay, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    Client::ask(relay.address(), "POST", target, headers, body.as_bytes()).await
}

fn cookie(answer: &Answer) -> String {
    let line = answer.head.get("set-cookie").expect("a cookie is set");
    assert!(line.contains("; HttpOnly; SameSite=Lax") && !line.contains("Secure"), "{line}");
    line.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn tokens_and_passwords_are_taken_wherever_clients_can_put_them() {
    let relay = TestRelay::start(&yaml());
    let good = [
        ("/streams/x", vec![("Authorization", "Bearer token-of-the-wall".to_owned())]),
        ("/streams/x?token=token-of-the-wall", vec![]),
        ("/streams/x", vec![("Authorization", basic("whoever:token-of-the-wall"))]),
        ("/streams/x", vec![("Authorization", basic("alice:correct horse"))]),
        // Once more: known without being checked.
        ("/streams/y", vec![("Authorization", basic("alice:correct horse"))]),
        ("/streams/open", vec![]),
        ("/streams/open", vec![("Authorization", basic("proxys:own"))]),
    ];
    for (target, headers) in good {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(status(&relay, target, &headers).await, 200, "{target} {headers:?}");
    }
    let bad = [
        ("/streams/y?token=token-of-the-wall", String::new(), 404),
        ("/streams/nobody?token=token-of-the-wall", String::new(), 404),
        ("/streams/nobody", String::new(), 401),
        ("/streams/nobody", basic("alice:correct horse"), 404),
        ("/streams/x", basic("alice:wrong"), 401),
        ("/streams/x", basic("nobody:correct horse"), 401),
        ("/streams/x", "Basic !".to_owned(), 401),
        ("/streams/x?token=", String::new(), 401),
    ];
    for (target, authorization, expected) in bad {
        let headers = [("Authorization", authorization.as_str())];
        assert_eq!(status(&relay, target, &headers).await, expected, "{target} {authorization}");
    }
}

#[tokio::test]
async fn lists_show_what_the_caller_may_watch() {
    let relay = TestRelay::start(&yaml());
    let names = async |query: &str| {
        let answer = Client::get(relay.address(), &format!("/api/streams{query}")).await.json();
        let names =
            answer["streams"].as_array().unwrap().iter().map(|stream| stream["name"].as_str().unwrap());
        (names.map(str::to_owned).collect::<Vec<_>>().join(" "), answer["mosaic"].clone())
    };
    assert_eq!(names("").await, ("open".to_owned(), serde_json::Value::Null));
    assert_eq!(names("?token=token-of-the-wall").await.0, "x open");
    let (all, mosaic) = names("?token=admin-of-tests").await;
    assert_eq!((all.as_str(), mosaic), ("x y open", "all".into()));
    let inputs = Client::get(relay.address(), "/program.json?token=token-of-the-wall").await.json();
    assert_eq!(inputs["inputs"].as_array().unwrap().len(), 2);
    for (target, expected) in [
        ("/?action=stream_0&token=token-of-the-wall", 200),
        ("/?action=stream_1&token=token-of-the-wall", 404),
        ("/input_1.json?token=token-of-the-wall", 404),
        ("/?action=stream_1", 401),
    ] {
        assert_eq!(status(&relay, target, &[]).await, expected, "{target}");
    }
}

#[tokio::test]
async fn a_browser_is_led_to_the_form_and_back_and_stays_logged_in_until_it_logs_out() {
    let relay = TestRelay::start(&yaml());
    let page = ("Accept", "text/html,application/xhtml+xml");
    let led = Client::ask(relay.address(), "GET", "/view/x?token=old&a=1", &[page], b"").await;
    assert_eq!((led.head.status, led.head.get("location")), (303, Some("../login?next=view%2Fx%3Fa%3D1")));
    let form = Client::get(relay.address(), "/login?next=view%2Fx%22%3E%3Cscript%3E").await;
    let text = String::from_utf8(form.body).unwrap();
    assert!(text.contains("value=\"view/x&quot;&gt;&lt;script&gt;\""), "{text}");
    assert!(form.head.get("content-security-policy").unwrap().contains("frame-ancestors 'none'"));

    let wrong = post(&relay, "/login", &[], "name=alice&password=wrong&next=view/x").await;
    assert_eq!(wrong.head.status, 401);
    assert!(String::from_utf8(wrong.body).unwrap().contains("Wrong user name, password or token"));
    let right = post(&relay, "/login", &[], "name=alice&password=correct+horse&next=view/x").await;
    assert_eq!((right.head.status, right.head.get("location")), (303, Some("./view/x")));
    let cookie = cookie(&right);
    assert_eq!(status(&relay, "/view/x", &[("Cookie", &cookie)]).await, 200);
    let who = Client::ask(relay.address(), "GET", "/api/session", &[("Cookie", &cookie)], b"").await.json();
    assert_eq!(
        (&who["name"], &who["role"], &who["session"]),
        (&"alice".into(), &"admin".into(), &true.into())
    );

    // A stranger's page does not get what its viewer may see.
    for foreign in [("Sec-Fetch-Site", "cross-site"), ("Origin", "http://evil.example")] {
        assert_eq!(status(&relay, "/streams/x", &[("Cookie", &cookie), foreign]).await, 401);
    }
    assert_eq!(post(&relay, "/logout", &[("Cookie", &cookie)], "").await.head.status, 303);
    assert_eq!(status(&relay, "/view/x", &[("Cookie", &cookie)]).await, 401);
}

#[tokio::test]
async fn numbers_of_events_tell_nothing_of_streams_that_the_caller_may_not_see() {
    let relay = TestRelay::start(&yaml());
    let alice = basic("alice:correct horse");
    for _ in 0..5 {
        for stream in ["x", "y"] {
            let target = format!("/api/streams/{stream}/restart");
            assert_eq!(post(&relay, &target, &[("Authorization", &alice)], "").await.head.status, 204);
        }
    }
    let events = async |headers: &[(&str, &str)]| {
        let answer = Client::ask(relay.address(), "GET", "/api/events", headers, b"").await;
        let report: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        let ids: Vec<_> = report["events"].as_array().unwrap().iter().map(|it| it["id"].as_u64()).collect();
        let last = report["last"].as_u64().unwrap();
        assert_eq!(ids, (1..=last).map(Some).collect::<Vec<_>>(), "{report}");
        last
    };
    let of_porch = events(&[("Authorization", "Bearer token-of-the-porch")]).await;
    let of_all = events(&[("Authorization", &alice)]).await;
    assert!(of_porch >= 5 && of_all >= of_porch + 5, "{of_porch} of {of_all}");
    // A page is told the same number.
    let mut page = web_socket::WebSocket::open(relay.address(), "/api/live?token=token-of-the-porch").await;
    let last = page.until(|got| match got {
        web_socket::ServerMessage::Json(report) => report["last_event"].as_u64(),
        _ => None,
    });
    assert!((of_porch..of_all).contains(&last.await));
}

/// A browser that may watch also pushes, with the stream's own token.
#[tokio::test]
async fn a_session_takes_no_rights_from_a_token_beside_it() {
    let relay = TestRelay::start(&yaml().replace("token: none", "token: own-of-x"));
    let page = Client::get(relay.address(), "/view/x?token=token-of-the-wall").await;
    let cookie = cookie(&page);
    let push = async |target: &str, headers: &[(&str, &str)]| {
        Client::ask(relay.address(), "POST", target, headers, &jpeg(1)).await.head.status
    };
    let session = ("Cookie", cookie.as_str());
    assert_eq!(push("/streams/x/frame?token=own-of-x", &[]).await, 204);
    assert_eq!(push("/streams/x/frame?token=own-of-x", &[session]).await, 204);
    assert_eq!(push("/streams/x/frame", &[session, ("Authorization", "Bearer own-of-x")]).await, 204);
    assert_eq!(push("/streams/x/frame?token=own-of-y", &[session]).await, 403);
    let alice = basic("alice:correct horse");
    assert_eq!(push("/api/streams/x/restart", &[session]).await, 403);
    assert_eq!(push("/api/streams/x/restart", &[session, ("Authorization", &alice)]).await, 204);
    while push("/streams/x/frame?token=guess", &[session]).await == 403 {}
    assert_eq!(push("/streams/x/frame?token=own-of-x", &[session]).await, 429, "not looked at");
    assert_eq!(
        status(&relay, "/streams/x?token=guess", &[session]).await,
        200,
        "the session is as good as ever"
    );
}

#[tokio::test]
async fn a_token_in_the_address_of_a_page_becomes_a_cookie_and_leaves_the_address() {
    let relay = TestRelay::start("streams: {x: {source: {type: push, token: none}}}");
    for (target, to) in [
        ("/?token=admin-of-tests", "./"),
        ("/?a=b&token=admin-of-tests", "./?a=b"),
        ("/view/x?token=admin-of-tests", "./x"),
    ] {
        let answer = Client::get(relay.address(), target).await;
        assert_eq!((answer.head.status, answer.head.get("location")), (303, Some(to)), "{target}");
        let cookie = cookie(&answer);
        let who =
            Client::ask(relay.address(), "GET", "/api/session", &[("Cookie", &cookie)], b"").await.json();
        assert_eq!(who["role"], "admin");
    }
    let wrong = Client::get(relay.address(), "/?token=wrong").await;
    for page in ["/", "/view/x", "/login"] {
        let head = Client::get(relay.address(), page).await.head;
        assert_eq!(head.get("referrer-policy"), Some("same-origin"), "{page}: no address leaves the house");
    }
    assert_eq!((wrong.head.status, wrong.head.get("set-cookie")), (200, None), "everybody may see the page");
}

/// Returns the time in Unix seconds.
fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// Returns the query of a link.
fn link_to(stream: &str, expires: u64) -> String {
    let link = signed_link::sign(&Secret::new(KEY), &stream.parse().unwrap(), expires);
    format!("expires={}&signature={}", link.expires, link.signature)
}

/// Returns for how many seconds a browser keeps the cookie.
fn kept_for(answer: &Answer) -> u64 {
    let line = answer.head.get("set-cookie").expect("a cookie is set");
    line.split_once("Max-Age=").unwrap().1.split(';').next().unwrap().parse().unwrap()
}

/// Returns whom a cookie is good for, and whether as a session.
async fn who(relay: &TestRelay, cookie: &str) -> (Option<String>, bool) {
    let answer = Client::ask(relay.address(), "GET", "/api/session", &[("Cookie", cookie)], b"").await.json();
    (answer["name"].as_str().map(str::to_owned), answer["session"].as_bool().unwrap())
}

#[tokio::test]
async fn a_session_begins_from_what_the_request_shows_and_ends_with_it() {
    let relay = TestRelay::start(&yaml());
    let get = async |target: &str, cookie: &str| {
        Client::ask(relay.address(), "GET", target, &[("Cookie", cookie)], b"").await
    };
    let by_link = get(&format!("/view/x?{}", link_to("x", now() + 60)), "").await;
    assert!((1..=60).contains(&kept_for(&by_link)), "no longer than the link");
    let cookie = cookie(&by_link);
    // None of these is valid: the cookie must not become another session.
    for keys in ["token=x", "token=", "expires=9999999999&signature=x", "expires=9999999999", "signature=x"] {
        for page in ["/view/x", "/"] {
            let answer = get(&format!("{page}?{keys}"), &cookie).await;
            assert_eq!((answer.head.status, answer.head.get("set-cookie")), (200, None), "{page}?{keys}");
        }
    }
    // Another link is no reason for a longer session, and a longer expiry beside the token does not matter.
    let both = get(&format!("/view/x?{}&token=wrong", link_to("x", now() + 30)), "").await;
    assert!((1..=30).contains(&kept_for(&both)));
    let token = get("/view/x?token=token-of-the-wall&expires=1&signature=x", "").await;
    assert_eq!(kept_for(&token), 7 * 24 * 3600);
    // A session that its owner has ended is ended for holders of a copied cookie, too, whatever they did with
    // it.
    assert_eq!(who(&relay, &cookie).await, (Some("a link to x".to_owned()), true));
    assert_eq!(post(&relay, "/logout", &[("Cookie", &cookie)], "").await.head.status, 303);
    assert_eq!(who(&relay, &cookie).await, (None, false));
    assert_eq!(get("/view/x?token=x", &cookie).await.head.get("set-cookie"), None);
    for nonsense in ["framecast=", "framecast=x", "framecast=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        assert_eq!(who(&relay, nonsense).await, (None, false), "{nonsense}");
    }
}

#[tokio::test]
async fn a_head_begins_no_session() {
    let relay = TestRelay::start(&yaml());
    for target in ["/view/x?token=token-of-the-wall", "/?token=token-of-the-wall", "/view/x?LINK"] {
        let target = target.replace("LINK", &link_to("x", now() + 60));
        let head = Client::ask(relay.address(), "HEAD", &target, &[], b"").await.head;
        assert_eq!((head.status, head.get("set-cookie")), (200, None), "{target}");
    }
}

#[tokio::test]
async fn one_credential_has_thirty_two_sessions_and_throws_out_nobody_else() {
    let relay = TestRelay::start(&yaml());
    let form = "name=&password=admin-of-tests";
    let admin = cookie(&post(&relay, "/login", &[], form).await);
    let mut cookies = Vec::new();
    for _ in 0..33 {
        cookies.push(cookie(&Client::get(relay.address(), "/?token=token-of-the-wall").await));
    }
    for (n, cookie) in cookies.iter().enumerate() {
        assert_eq!(who(&relay, cookie).await.1, n > 0, "session {n} of 33: the first made room");
    }
    for _ in 0..1100 {
        Client::get(relay.address(), "/?token=token-of-the-wall").await;
    }
    assert_eq!(who(&relay, &admin).await, (Some("admin".to_owned()), true));
}

/// Headers by which browsers tell where a navigation came from: a link on another site, over TLS or not; a
/// mail program or the address bar; a link on a site next to this one.
const NAVIGATIONS: [&[(&str, &str)]; 5] = [
    &[
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Mode", "navigate"),
        ("Sec-Fetch-Dest", "document"),
        ("Referer", "https://evil.example/"),
    ],
    &[("Referer", "http://evil.example/")],
    &[("Sec-Fetch-Site", "none"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")],
    &[("Sec-Fetch-Site", "same-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")],
    &[],
];

#[tokio::test]
async fn an_address_does_not_replace_a_running_session_by_another() {
    let relay = TestRelay::start(&yaml());
    let alice = cookie(&post(&relay, "/login", &[], "name=alice&password=correct+horse").await);
    let wall = cookie(&post(&relay, "/login", &[], "name=&password=token-of-the-wall").await);
    let link = format!("/view/y?a=1&{}", link_to("y", now() + 60));
    let accept = ("Accept", "text/html");
    for from in NAVIGATIONS {
        let get = async |target: &str, cookie: &str| {
            let headers = [from, &[("Cookie", cookie), accept]].concat();
            Client::ask(relay.address(), "GET", target, &headers, b"").await
        };
        // An administrator stays one: the address loses what it does not need.
        for (target, to) in [("/?token=token-of-the-wall&a=1", "./?a=1"), (link.as_str(), "./y?a=1")] {
            let head = get(target, &alice).await.head;
            assert_eq!((head.status, head.get("location")), (303, Some(to)), "{target} {from:?}");
            assert_eq!(head.get("set-cookie"), None, "{target} {from:?}");
        }
        // A caller with fewer permissions is asked.
        for (target, root, next, other) in [
            ("/?token=token-of-the-porch&a=1", "", "?a=1", "porch"),
            ("/?token=admin-of-tests", "", "", "admin"),
            ("/view/y?token=token-of-the-porch", "../", "view/y", "porch"),
            (link.as_str(), "../", "view/y?a=1", "a link to y"),
        ] {
            let asked = get(target, &wall).await;
            assert_eq!((asked.head.status, asked.head.get("set-cookie")), (200, None), "{target} {from:?}");
            assert_eq!(asked.head.get("x-frame-options"), Some("DENY"), "the button is for its owner");
            assert_eq!(asked.head.get("cache-control"), Some("no-store"));
            let text = String::from_utf8(asked.body).unwrap();
            assert!(text.contains("<b>wall</b>") && text.contains(&format!("<b>{other}</b>")), "{text}");
            assert!(text.contains(&format!("action=\"{root}login\"")), "{text}");
            assert!(text.contains(&format!("name=\"next\" value=\"{next}\"")), "{text}");
        }
        assert_eq!(who(&relay, &wall).await, (Some("wall".to_owned()), true), "{from:?}");
        assert_eq!(who(&relay, &alice).await, (Some("alice".to_owned()), true), "{from:?}");
    }
}

#[tokio::test]
async fn whoever_is_asked_may_log_in_as_the_other_and_the_first_session_ends() {
    let relay = TestRelay::start(&yaml());
    let wall = cookie(&Client::get(relay.address(), "/?token=token-of-the-wall").await);
    let link = link_to("y", now() + 60);
    let body = format!("password=&stream=y&{link}&next=view/y");
    let foreign = [("Cookie", wall.as_str()), ("Origin", "http://evil.example")];
    assert_eq!(post(&relay, "/login", &foreign, &body).await.head.status, 403, "by no other site's form");
    let wrong = format!("password=&stream=x&{link}&next=view/y");
    assert_eq!(post(&relay, "/login", &[("Cookie", &wall)], &wrong).await.head.status, 401);
    assert!(who(&relay, &wall).await.1, "nothing came of it");
    let done = post(&relay, "/login", &[("Cookie", &wall)], &body).await;
    assert_eq!((done.head.status, done.head.get("location")), (303, Some("./view/y")));
    assert!((1..=60).contains(&kept_for(&done)));
    assert_eq!(who(&relay, &cookie(&done)).await, (Some("a link to y".to_owned()), true));
    assert_eq!(who(&relay, &wall).await, (None, false), "a browser has one session");
    // The same token again: no question, and another cookie in place of the first.
    let porch = cookie(&Client::get(relay.address(), "/?token=token-of-the-porch").await);
    let again =
        Client::ask(relay.address(), "GET", "/?token=token-of-the-porch", &[("Cookie", &porch)], b"").await;
    assert_eq!(who(&relay, &cookie(&again)).await, (Some("porch".to_owned()), true));
    assert_eq!(who(&relay, &porch).await, (None, false));
}

#[tokio::test]
async fn what_another_site_embeds_logs_nobody_in() {
    let relay = TestRelay::start(&yaml());
    for (site, mode, dest) in [
        ("cross-site", "navigate", "iframe"),
        ("same-site", "navigate", "iframe"),
        ("cross-site", "no-cors", "image"),
        ("same-site", "no-cors", "script"),
        ("cross-site", "cors", "empty"),
    ] {
        let headers = [("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", mode), ("Sec-Fetch-Dest", dest)];
        let target = "/view/x?token=token-of-the-wall";
        let head = Client::ask(relay.address(), "GET", target, &headers, b"").await.head;
        assert_eq!((head.status, head.get("set-cookie")), (200, None), "{headers:?}: for this request only");
    }
}

#[tokio::test]
async fn a_link_shows_one_stream_for_a_while() {
    let relay = TestRelay::start(&yaml());
    let now = now();
    let query = |expires| link_to("x", expires);
    let good = query(now + 60);
    for (target, expected) in [
        (format!("/streams/x?{good}"), 200),
        (format!("/x.mjpg?{good}"), 200),
        (format!("/api/streams/x?{good}"), 200),
        (format!("/streams/y?{good}"), 401),
        (format!("/api/streams?{good}"), 200),
        (format!("/streams/x?{}", query(now - 1)), 401),
        (format!("/streams/x?{}", good.replace("expires=1", "expires=2")), 401),
    ] {
        assert_eq!(status(&relay, &target, &[]).await, expected, "{target}");
    }
    let page = Client::get(relay.address(), &format!("/view/x?{good}")).await;
    let cookie = cookie(&page);
    assert_eq!(status(&relay, "/streams/x", &[("Cookie", &cookie)]).await, 200);
    assert_eq!(status(&relay, "/streams/y", &[("Cookie", &cookie)]).await, 404);
}

#[tokio::test]
async fn whoever_guesses_waits_and_locks_out_nobody_with_a_long_token() {
    let relay = TestRelay::start(&yaml());
    let guess = async |n: usize| {
        let login = basic(&format!("alice:guess{n}"));
        Client::ask(relay.address(), "GET", "/streams/x", &[("Authorization", &login)], b"").await.head
    };
    let mut refused = None;
    for n in 0..100 {
        let head = guess(n).await;
        if head.status == 429 {
            refused = Some((n, head));
            break;
        }
        assert_eq!(head.status, 401);
    }
    let (tries, head) = refused.expect("some time it is enough");
    // A slow machine may have given some back meanwhile.
    assert!((20..60).contains(&tries), "{tries} tries");
    assert!(head.get("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    assert_eq!(status(&relay, "/streams/x?token=token-of-the-wall", &[]).await, 200);
    let refused = Client::get(relay.address(), "/api/streams").await.json()["refused"].clone();
    assert!(refused["unauthorized"].as_u64().unwrap() >= 20 && refused["guessing"].as_u64().unwrap() >= 1);
}

#[tokio::test]
async fn whoever_guesses_a_name_keeps_its_owner_out_from_nowhere_else() {
    let relay = TestRelay::start(&yaml());
    let ask = async |password: &str, from: &str| {
        let login = basic(&format!("alice:{password}"));
        let headers = [("Authorization", login.as_str()), ("X-Forwarded-For", from)];
        Client::ask(relay.address(), "GET", "/api/streams/x", &headers, b"").await.head.status
    };
    let guess_until_refused = async |from: &str| {
        for n in 0..100 {
            match ask(&format!("guess{n}"), from).await {
                401 => {}
                429 => return,
                status => panic!("{status}"),
            }
        }
        panic!("{from} may guess on");
    };
    guess_until_refused("192.0.2.1").await;
    guess_until_refused("2001:db8::1").await;
    assert_eq!(ask("guess", "2001:db8::2").await, 429, "the same subscriber");
    for elsewhere in ["192.0.2.2", "2001:db8:0:1::1"] {
        assert_eq!(ask("correct horse", elsewhere).await, 200, "{elsewhere}");
    }
    // It is recognised without a check, and this tells a guesser nothing.
    guess_until_refused("192.0.2.3").await;
    assert_eq!(ask("correct horse", "192.0.2.3").await, 429);
    // Wrong tokens from a network of a login are somebody else's.
    for n in 0..100 {
        let target = format!("/api/streams/x?token=guess{n}");
        Client::ask(relay.address(), "GET", &target, &[("X-Forwarded-For", "192.0.2.2")], b"").await;
    }
    assert_eq!(ask("correct horse", "192.0.2.2").await, 200);
}

#[tokio::test]
async fn an_address_has_a_number_of_viewers_and_of_requests_and_a_proxy_speaks_for_others() {
    let relay = TestRelay::start(
        "server: {trusted_proxies: 127.0.0.1}\nlimits: {max_viewers_per_address: 1, max_requests_per_second: \
         1}\n\
         streams: {x: {source: {type: push, token: none}}}",
    );
    let forwarded = |address: &str| format!("X-Forwarded-For: 192.0.2.200, {address}\r\n");
    let ask = async |address: &str| {
        let mut client = Client::connect(relay.address()).await;
        let headers = forwarded(address);
        client.send(format!("GET /streams/x HTTP/1.1\r\nHost: test\r\n{headers}\r\n").as_bytes()).await;
        (client.head().await, client)
    };
    let (first, _client) = ask("192.0.2.1").await;
    assert_eq!(first.status, 200);
    let (second, _) = ask("192.0.2.1").await;
    assert_eq!((second.status, second.get("retry-after").is_some()), (429, true));
    let (other, _other) = ask("192.0.2.2").await;
    assert_eq!(other.status, 200, "another address");
    let mut refused = 0;
    for (method, target, from) in [
        ("GET", "/healthz", "192.0.2.3"),
        ("GET", "/no/thing", "192.0.2.5"),
        ("DELETE", "/healthz", "192.0.2.6"),
    ] {
        let mut of_these = 0;
        for _ in 0..100 {
            let answer =
                Client::ask(relay.address(), method, target, &[("X-Forwarded-For", from)], b"").await;
            of_these += usize::from(answer.head.status == 429);
        }
        assert!(of_these > 0, "{method} {target}: ten at once and one a second");
        refused += of_these;
    }
    assert_eq!(ask("192.0.2.4").await.0.status, 200);
    let counted = Client::get(relay.address(), "/api/streams").await.json()["refused"].clone();
    assert!(counted["viewers"] == 1 && counted["rate"] == refused, "{counted}");
}

#[tokio::test]
async fn odd_letters_and_sockets_are_no_way_around_the_viewers_of_an_address() {
    let relay = TestRelay::start(
        "server: {trusted_proxies: 127.0.0.1}\nlimits: {max_viewers_per_address: 1}\n\
         streams: {x: {replay: 5s, source: {type: push, token: none}}}",
    );
    push(&relay, "x", &jpeg(1)).await;
    let ask = async |target: &str, forwarded: &[u8]| {
        let mut client = Client::connect(relay.address()).await;
        let head = format!("GET {target} HTTP/1.1\r\nHost: test\r\nX-Forwarded-For: ");
        client.send(&[head.as_bytes(), forwarded, b"\r\n\r\n"].concat()).await;
        (client.head().await.status, client)
    };
    let (status, _first) = ask("/streams/x", b"192.0.2.1").await;
    assert_eq!(status, 200);
    assert_eq!(ask("/streams/x", b"\xff, 192.0.2.1").await.0, 429, "the proxy said it behind the odd letter");
    assert_eq!(ask("/streams/x/clip", b"192.0.2.1").await.0, 429, "a clip has a viewer as well");
    for (socket, address) in [("/api/ws?src=x", "192.0.2.2"), ("/api/live", "192.0.2.3")] {
        let lines = format!("X-Forwarded-For: {address}\r\n");
        let (head, _socket) = web_socket::ask(Client::connect(relay.address()).await, socket, &lines).await;
        assert_eq!(head.status, 101, "{socket}");
        assert_eq!(ask("/streams/x", address.as_bytes()).await.0, 429, "{socket} has the place");
        let taken = "X-Forwarded-For: 192.0.2.1\r\n";
        let (head, _) = web_socket::ask(Client::connect(relay.address()).await, socket, taken).await;
        assert_eq!(head.status, 429, "{socket}");
    }
    let (first, _subscriber) = ask("/streams/x", b"2001:db8::1").await;
    assert_eq!((first, ask("/streams/x", b"2001:db8::2").await.0), (200, 429), "one subscriber's network");
}

#[tokio::test]
async fn a_stream_shown_by_a_token_is_the_stream() {
    let relay = TestRelay::start(&yaml());
    let push = Client::ask(relay.address(), "POST", "/streams/x/frame", &[], &jpeg(1)).await;
    assert_eq!(push.head.status, 204, "its token is none");
    let mut viewer = StreamViewer::join(relay.address(), "/streams/x?token=token-of-the-wall").await;
    assert!(viewer.part().await.jpeg == jpeg(1));
}

#[tokio::test]
async fn too_long_headers_are_refused() {
    let relay = TestRelay::start("streams: {x: {source: {type: push, token: none}}}");
    let long = "a".repeat(33 * 1024);
    assert_eq!(status(&relay, "/healthz", &[("Cookie", &long)]).await, 431);
    assert_eq!(status(&relay, "/healthz", &[("Cookie", &long[..16 * 1024])]).await, 200);
}
