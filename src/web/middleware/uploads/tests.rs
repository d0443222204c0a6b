use std::time::Duration;

use futures_util::FutureExt;

use super::{
    kind::{GRACE, LOGIN_GRACE},
    *,
};

const MIB: usize = 1024 * 1024;

fn uploads(budget: usize) -> Arc<Uploads> {
    Arc::new(Uploads::new(Arc::new(ByteBudget::new(budget)), Arc::default()))
}

fn limits(per_stream: usize, per_address: Option<usize>) -> Limits {
    Limits { max_uploads_per_stream: per_stream, max_uploads_per_address: per_address, ..Limits::default() }
}

/// An upload within `budget`, which it has alone.
pub(in crate::web) fn upload(budget: usize) -> Upload {
    uploads(budget).admit(&Limits::default(), UploadKind::Known, None, None).unwrap()
}

impl Uploads {
    fn begun(self: &Arc<Self>, kind: UploadKind) -> Upload {
        self.admit(&limits(1000, None), kind, None, None).unwrap()
    }

    fn rejections(&self) -> u64 {
        self.rejections.requests().find(|(name, _)| *name == "uploads").unwrap().1
    }
}

#[tokio::test]
async fn who_shows_no_credential_leaves_room_for_those_who_do() {
    let uploads = uploads(16 * MIB);
    let mut anonymous = uploads.begun(UploadKind::Anonymous);
    anonymous.reserve(8 * MIB).unwrap();
    let mut another = uploads.begun(UploadKind::Anonymous);
    assert_eq!(another.reserve(1), Err(UploadError::Full));
    let mut known = uploads.begun(UploadKind::Known);
    known.reserve(6 * MIB).unwrap();
    assert_eq!(known.reserve(6 * MIB + 1), Err(UploadError::Full), "the rest is not for pushes");
    for kind in [UploadKind::Login, UploadKind::Admin] {
        let mut other = uploads.begun(kind);
        other.reserve(MIB).unwrap();
        let too_large = UploadError::TooLarge { needed: MIB + UNIT, share: MIB };
        assert_eq!(other.reserve(MIB + 1), Err(too_large));
        drop(other);
        assert_eq!(uploads.begun(kind).reserve(1), Ok(()), "it was given back");
    }
    drop(anonymous);
    known.reserve(14 * MIB).unwrap();
    assert_eq!(another.reserve(1), Err(UploadError::Full));
    known.set(1).unwrap();
    another.reserve(8 * MIB).unwrap();
    drop((known, another));
    assert_eq!(uploads.budget.in_use(), 0);
    assert!(uploads.state().running.is_empty());
    assert_eq!((uploads.rejections(), uploads.budget.refused()), (5, 5));
}

#[tokio::test(start_paused = true)]
async fn the_largest_of_the_slow_makes_room_for_a_new_one() {
    let uploads = uploads(16 * MIB);
    let mut slow = [3 * MIB, 4 * MIB, MIB].map(|bytes| {
        let mut upload = uploads.begun(UploadKind::Anonymous);
        upload.reserve(bytes).unwrap();
        upload
    });
    tokio::time::advance(GRACE - Duration::from_millis(1)).await;
    let mut new = uploads.begun(UploadKind::Anonymous);
    assert_eq!(new.reserve(2 * MIB), Err(UploadError::Full), "they may still be as fast as others");
    slow[0].progress();
    tokio::time::advance(Duration::from_millis(1)).await;
    new.reserve(2 * MIB).unwrap();
    assert!(slow[1].ended().now_or_never().is_some(), "the largest");
    assert!(slow[0].ended().now_or_never().is_none() && slow[2].ended().now_or_never().is_none());
    assert_eq!(slow[1].reserve(5 * MIB), Err(UploadError::Ended), "it holds nothing any more");
    assert_eq!(uploads.budget.in_use(), 6 * MIB);
    assert_eq!(new.reserve(7 * MIB), Err(UploadError::Full), "the other has made progress");
    assert!(slow[2].ended().now_or_never().is_some());
    let mut known = uploads.begun(UploadKind::Known);
    known.reserve(9 * MIB).unwrap();
    slow[0].complete();
    tokio::time::advance(GRACE).await;
    assert_eq!(new.reserve(6 * MIB), Err(UploadError::Full), "what is complete, and of others, stays");
    assert!(slow[0].ended().now_or_never().is_none());
    assert!(known.ended().now_or_never().is_none());
    drop((slow, new, known));
    assert_eq!(uploads.budget.in_use(), 0);
}

#[tokio::test(start_paused = true)]
async fn streams_and_addresses_have_so_many_uploads_and_no_more() {
    let uploads = uploads(16 * MIB);
    let limits = limits(2, Some(3));
    let (here, there) = (Some([192, 0, 2, 1].into()), Some([192, 0, 2, 2].into()));
    let begin = |kind, stream, address| uploads.admit(&limits, kind, stream, address);
    let first = begin(UploadKind::Anonymous, Some("a"), Some(here)).unwrap();
    let second = begin(UploadKind::Anonymous, Some("a"), Some(here)).unwrap();
    assert_eq!(begin(UploadKind::Anonymous, Some("a"), Some(here)).unwrap_err(), UploadError::Stream(2));
    let other = begin(UploadKind::Anonymous, Some("a"), Some(there)).unwrap();
    assert!(first.ended().now_or_never().is_some(), "who has all places leaves one to another");
    assert!(second.ended().now_or_never().is_none());
    assert_eq!(begin(UploadKind::Anonymous, Some("a"), Some(there)).unwrap_err(), UploadError::Stream(2));
    let third = begin(UploadKind::Anonymous, Some("b"), Some(here)).unwrap();
    let fourth = begin(UploadKind::Anonymous, Some("b"), Some(here)).unwrap();
    assert_eq!(begin(UploadKind::Anonymous, Some("c"), Some(here)).unwrap_err(), UploadError::Address(3));
    // A credential has room of its own; a login has, too.
    let _known = begin(UploadKind::Known, Some("a"), None).unwrap();
    let _login = begin(UploadKind::Login, None, Some(here)).unwrap();
    tokio::time::advance(GRACE).await;
    let newest = begin(UploadKind::Anonymous, Some("a"), Some(there)).unwrap();
    assert!(second.ended().now_or_never().is_some(), "the oldest makes room");
    assert!(other.ended().now_or_never().is_none());
    begin(UploadKind::Anonymous, Some("b"), Some(here)).unwrap();
    drop((first, second, other, third, fourth, newest));
    let state = uploads.state();
    assert!(!state.streams.keys().any(|(_, kind)| *kind == UploadKind::Anonymous), "{state:?}");
    assert_eq!(state.addresses.len(), 1, "{state:?}");
}

#[tokio::test(start_paused = true)]
async fn slow_logins_keep_no_new_subscriber_out() {
    const FORM: usize = 8 * 1024;
    let address = |n: u8| Some(Some([198, 51, 100, n].into()));
    let log_in = |uploads: &Arc<Uploads>, n: u8| {
        let mut login = uploads.admit(&limits(8, Some(16)), UploadKind::Login, None, address(n))?;
        login.reserve(FORM).map(|()| login)
    };
    // A few addresses with as many as each may have: one of theirs makes room at once.
    let uploads = uploads(16 * 48 * FORM);
    let many: Vec<_> = (0..48).map(|n| log_in(&uploads, n / 16).unwrap()).collect();
    let new = log_in(&uploads, 100).unwrap();
    let is_ended = |n: &usize| many[*n].ended().now_or_never().is_some();
    let ended: Vec<_> = (0..many.len()).filter(is_ended).collect();
    assert_eq!(ended.len(), 1);
    // Any of the three addresses may be the one that has 15 now.
    let with_all = u8::from(ended[0] < 16);
    assert_eq!(log_in(&uploads, with_all).unwrap_err(), UploadError::Address(16));
    drop((many, new));
    // Many with one each: the oldest does when it is late.
    let many: Vec<_> = (0..48).map(|n| log_in(&uploads, n).unwrap()).collect();
    assert_eq!(log_in(&uploads, 100).unwrap_err(), UploadError::Full, "they may be as fast as others");
    tokio::time::advance(LOGIN_GRACE).await;
    let _new = log_in(&uploads, 100).unwrap();
    assert!(many[0].ended().now_or_never().is_some(), "the oldest");
    assert_eq!(many.iter().filter(|login| login.ended().now_or_never().is_some()).count(), 1);
}

#[tokio::test]
async fn a_budget_that_becomes_smaller_takes_nothing_away_and_gives_nothing_more() {
    let uploads = uploads(16 * MIB);
    let mut upload = uploads.begun(UploadKind::Anonymous);
    upload.reserve(4 * MIB).unwrap();
    uploads.budget.resize(8 * MIB);
    assert_eq!(uploads.begun(UploadKind::Anonymous).reserve(1), Err(UploadError::Full));
    let too_large = UploadError::TooLarge { needed: 4 * MIB + UNIT, share: 4 * MIB };
    assert_eq!(upload.reserve(4 * MIB + 1), Err(too_large));
    upload.set(MIB).unwrap();
    assert_eq!(uploads.begun(UploadKind::Anonymous).reserve(3 * MIB), Ok(()));
}

#[test]
fn who_has_one_place_of_a_stream_keeps_it_and_other_streams_are_left_alone() {
    let uploads = uploads(16 * MIB);
    let [one, two, three] = [1, 2, 3].map(|end| Some(Some([192, 0, 2, end].into())));
    let begin =
        |stream, address| uploads.admit(&limits(2, None), UploadKind::Anonymous, Some(stream), address);
    let held = [("a", one), ("a", two), ("b", two), ("b", two), ("c", two)]
        .map(|(stream, address)| begin(stream, address).unwrap());
    assert_eq!(begin("a", three).unwrap_err(), UploadError::Stream(2));
    assert!(held.iter().all(|upload| upload.ended().now_or_never().is_none()));
    assert_eq!(uploads.rejections(), 1);
    let _third = begin("b", three).unwrap();
    assert!(held[2].ended().now_or_never().is_some(), "the oldest of two of an address");
    assert_eq!(uploads.rejections(), 2, "one that is ended is refused as well");
}

#[tokio::test(start_paused = true)]
async fn only_uploads_that_hold_something_are_ended_for_room() {
    let uploads = uploads(MIB);
    let mut slow = [63, 64].map(|kib| {
        let mut upload = uploads.begun(UploadKind::Anonymous);
        upload.reserve(kib * 1024).unwrap();
        upload
    });
    tokio::time::advance(GRACE).await;
    let mut new = uploads.begun(UploadKind::Anonymous);
    new.reserve(449 * 1024).unwrap();
    assert!(slow[1].ended().now_or_never().is_some());
    assert_eq!(uploads.rejections(), 1);
    assert_eq!(new.reserve(450 * 1024), Err(UploadError::Full));
    assert!(slow[0].ended().now_or_never().is_none());
    slow[0].reserve(63 * 1024).unwrap();
}

#[tokio::test]
async fn what_is_reserved_stays_until_it_is_set() {
    let uploads = uploads(16 * MIB);
    let mut upload = uploads.begun(UploadKind::Known);
    for (bytes, in_use) in [(2, 2), (1, 2), (3, 3), (0, 3)] {
        upload.reserve(bytes * MIB).unwrap();
        assert_eq!(uploads.budget.in_use(), in_use * MIB);
    }
    upload.set(MIB).unwrap();
    assert_eq!(uploads.budget.in_use(), MIB);
}

#[tokio::test]
async fn a_smaller_budget_that_others_hold_lets_no_upload_grow() {
    let uploads = uploads(16 * MIB);
    let mut others = [UploadKind::Login, UploadKind::Admin].map(|kind| uploads.begun(kind));
    others.iter_mut().for_each(|other| other.reserve(MIB).unwrap());
    let mut upload = uploads.begun(UploadKind::Known);
    upload.reserve(8 * MIB).unwrap();
    uploads.budget.resize(19 * MIB / 2);
    assert_eq!(upload.reserve(8 * MIB + UNIT), Err(UploadError::Full));
    assert_eq!((upload.reserved, uploads.budget.in_use()), (8 * MIB, 10 * MIB));
    drop(others);
    upload.reserve(8 * MIB + UNIT).unwrap();
}

#[test]
fn a_refusal_says_whether_to_try_again_and_whose_addresses_are_counted() {
    use actix_web::ResponseError;

    let status = |error| Problem::from(error).error_response().status().as_u16();
    assert_eq!(status(UploadError::TooLarge { needed: 2, share: 1 }), 413);
    for error in [UploadError::Stream(1), UploadError::Address(1), UploadError::Full, UploadError::Ended] {
        assert_eq!(status(error), 503);
    }
    let of_anybody = [UploadKind::Anonymous, UploadKind::Known, UploadKind::Login, UploadKind::Admin]
        .map(UploadKind::is_anonymous);
    assert_eq!(of_anybody, [true, false, true, false]);
}
