use framecast::{
    config::{Grant, Role, StreamScope},
    media::stream_name::StreamName,
};

fn name(text: &str) -> StreamName {
    text.parse().expect("a name")
}

#[test]
fn each_role_may_do_what_those_before_it_may_with_its_own_streams() {
    let door = name("door");
    let only = |role| Grant { role, reach: StreamScope::Only([door.clone()].into()) };
    let roles = [Role::View, Role::Push, Role::Admin];
    for (held, role) in roles.iter().enumerate() {
        for (wanted, needed) in roles.iter().enumerate() {
            let enough = wanted <= held;
            assert_eq!(only(*role).allows(*needed, Some(&door)), enough);
            assert_eq!(only(*role).allows_any(*needed), enough);
            assert_eq!(Grant::for_all(*role).allows_all(*needed), enough);
            assert_eq!(Grant::for_all(*role).allows(*needed, None), enough);
            assert!(!only(*role).allows(*needed, Some(&name("porch"))));
            assert!(!only(*role).allows(*needed, None), "a name that is none");
            assert!(!only(*role).allows_all(*needed));
        }
        assert!(!Grant { role: *role, reach: StreamScope::nothing() }.allows_any(Role::View));
    }
}

#[test]
fn a_grant_covers_another_that_is_no_higher_and_reaches_no_further() {
    let only = |role, names: &[&str]| Grant {
        role,
        reach: StreamScope::Only(names.iter().map(|text| name(text)).collect()),
    };
    let both = only(Role::Push, &["door", "porch"]);
    for covered in [&both, &only(Role::View, &["door"]), &only(Role::View, &[])] {
        assert!(both.covers(covered) && Grant::for_all(Role::Push).covers(covered), "{covered:?}");
    }
    for other in [only(Role::Admin, &["door"]), only(Role::View, &["garage"]), Grant::for_all(Role::View)] {
        assert!(!both.covers(&other), "{other:?}");
    }
    assert!(!Grant::for_all(Role::View).covers(&only(Role::Push, &["door"])));
}
