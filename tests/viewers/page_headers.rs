//! Headers of the pages for browsers: the content that they may load, and the sites that may frame them.

use testkit::raw_client::{Client, Head};

use crate::TestRelay;

const PAGES: [&str; 2] = ["/", "/view/x"];

fn serving(server: &str) -> TestRelay {
    TestRelay::start(&format!(
        "{{server: {{{server}}}, streams: {{x: {{source: {{type: push, token: none}}}}}}}}"
    ))
}

fn policy(head: &Head) -> Vec<String> {
    let policy = head.get("content-security-policy").expect("every page has a policy");
    policy.split(';').map(|directive| directive.trim().to_owned()).collect()
}

#[tokio::test]
async fn a_page_loads_nothing_from_elsewhere_and_runs_nothing_inline() {
    let relay = serving("");
    for page in PAGES {
        let answer = Client::get(relay.address(), page).await;
        let policy = policy(&answer.head);
        assert!(policy.contains(&"default-src 'none'".to_owned()), "{page}: {policy:?}");
        assert!(policy.contains(&"script-src 'self'".to_owned()), "{page}: {policy:?}");
        for lax in ["unsafe", "data:", "http:", "https:", "*"] {
            assert!(!policy.iter().any(|directive| directive.contains(lax)), "{page}: {lax} in {policy:?}");
        }
        assert_eq!(answer.head.get("x-content-type-options"), Some("nosniff"), "{page}");
        let text = String::from_utf8(answer.body).unwrap();
        for inline in ["<style>", " style=", " onclick=", " onload=", " onerror=", "javascript:"] {
            assert!(!text.contains(inline), "{page} has {inline}");
        }
        assert_eq!(text.matches("<script").count(), text.matches("<script src=\"").count(), "{page}");
    }
}

#[tokio::test]
async fn who_may_frame_the_pages_is_set_by_the_configuration() {
    for (server, ancestors, options) in [
        ("", "frame-ancestors 'self'", Some("SAMEORIGIN")),
        ("frame_ancestors: none", "frame-ancestors 'none'", Some("DENY")),
        ("frame_ancestors: '*'", "frame-ancestors *", None),
        (
            "frame_ancestors: ['https://home.example:8123', self]",
            "frame-ancestors https://home.example:8123 'self'",
            None,
        ),
    ] {
        let relay = serving(server);
        for page in PAGES {
            let head = Client::get(relay.address(), page).await.head;
            assert!(policy(&head).contains(&ancestors.to_owned()), "{page} with {server:?}: {head:?}");
            assert_eq!(head.get("x-frame-options"), options, "{page} with {server:?}");
        }
        let login = Client::get(relay.address(), "/login").await.head;
        assert!(
            policy(&login).contains(&"frame-ancestors 'none'".to_owned()),
            "a password is typed in no frame"
        );
        assert_eq!(login.get("x-frame-options"), Some("DENY"));
    }
}
