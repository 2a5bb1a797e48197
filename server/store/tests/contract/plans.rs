//! Table `plan`.

use netloom_model::PlanId;
use netloom_model::plan::{Plan, PlanApplied, PlanHead};
use netloom_store::plans::Quota;
use netloom_store::{Error, Place, PlanRow, plans};

use crate::kit::{at, open, read, unique, write};

const MANY: Quota = Quota { plans: 10, bytes: 1 << 20 };
const TWO: Quota = Quota { plans: 2, ..MANY };

fn row(by: &str, made: i64, until: i64) -> PlanRow<String> {
    let id = PlanId::from_random(unique());
    let head = PlanHead {
        id: Some(id),
        summary: "create network `n`".into(),
        object: None,
        created_at: at(made),
        created_by: by.into(),
        expires_at: at(until),
        applied: None,
    };
    let plan = Plan { head, operations: Vec::new(), interruptions: Vec::new(), reads: Vec::new() };
    PlanRow { id, owner: by.into(), plan, recipe: "how".into() }
}

#[tokio::test]
async fn a_plan_is_kept_until_it_expires_and_applied_once() {
    let (_directory, store) = open().await;
    let plan = row("admin", 1, 100);
    write!(store, (plan), tx => plans::insert(tx, &plan, MANY)).unwrap();
    let id = plan.id;
    assert_eq!(read!(store, (), tx => plans::by_id::<String>(tx, id, at(99)).await).unwrap(), Some(plan.clone()));
    assert_eq!(read!(store, (), tx => plans::by_id::<String>(tx, id, at(100)).await).unwrap(), None, "expired");
    write!(store, (), tx => plans::mark_applied(tx, id, "ci", at(50)).await).unwrap();
    let again = write!(store, (), tx => plans::mark_applied(tx, id, "ci", at(51)).await).unwrap_err();
    assert!(matches!(again, Error::NotFound));
    let applied = Some(PlanApplied { at: at(50), by: "ci".into() });
    let found = read!(store, (), tx => plans::by_id::<String>(tx, id, at(60)).await).unwrap().unwrap();
    assert_eq!(found.plan.head.applied, applied);
    assert_eq!(read!(store, (), tx => plans::list(tx, None, at(60), 10).await).unwrap()[0].applied, applied);
    let head = read!(store, (), tx => plans::head(tx, id, at(60)).await).unwrap();
    assert_eq!(head, Some(("admin".into(), found.plan.head)));
    assert_eq!(read!(store, (), tx => plans::head(tx, id, at(100)).await).unwrap(), None, "expired");
    write!(store, (), tx => { plans::remove(tx, id); Ok(()) }).unwrap();
    assert_eq!(read!(store, (), tx => plans::head(tx, id, at(60)).await).unwrap(), None, "removed");
}

#[tokio::test]
async fn of_each_principal_the_latest_are_kept() {
    let (_directory, store) = open().await;
    let plans: Vec<_> = (1..=4).map(|made| row("ci", made, 100)).collect();
    let other = row("admin", 0, 100);
    for plan in std::iter::once(&other).chain(&plans) {
        write!(store, (plan), tx => plans::insert(tx, &plan, TWO)).unwrap();
    }
    let ids = |heads: Vec<PlanHead>| heads.into_iter().filter_map(|head| head.id).collect::<Vec<_>>();
    let heads = read!(store, (), tx => plans::list(tx, None, at(5), 10).await).unwrap();
    let (first, second) = (Place::of_plan(&heads[0]), Place::of_plan(&heads[1]));
    let all = ids(heads);
    assert_eq!(all, [other.id, plans[2].id, plans[3].id], "oldest first");
    assert_eq!(ids(read!(store, (), tx => plans::list(tx, Some(&second), at(5), 10).await).unwrap()), [plans[3].id]);
    assert_eq!(ids(read!(store, (), tx => plans::list(tx, Some(&first), at(5), 1).await).unwrap()), [plans[2].id]);
    write!(store, (), tx => { plans::prune(tx, at(100)); Ok(()) }).unwrap();
    assert_eq!(read!(store, (), tx => plans::list(tx, None, at(5), 10).await).unwrap(), Vec::new());
}

async fn left(store: &netloom_store::Store) -> Vec<i64> {
    let heads = read!(store, (), tx => plans::list(tx, None, at(5), 100).await).unwrap();
    heads.iter().map(|head| head.created_at.millis()).collect()
}

#[tokio::test]
async fn what_is_applied_gives_way_last_and_the_new_one_never() {
    let (_directory, store) = open().await;
    let plan = row("ci", 1, 100);
    let id = plan.id;
    write!(store, (plan), tx => plans::insert(tx, &plan, TWO)).unwrap();
    write!(store, (), tx => plans::mark_applied(tx, id, "ci", at(2)).await).unwrap();
    for made in [6, 7, 8] {
        let plan = row("ci", made, 100);
        write!(store, (plan), tx => plans::insert(tx, &plan, TWO)).unwrap();
    }
    assert_eq!(left(&store).await, [1, 7, 8]);
    // The clock stepped back.
    let plan = row("ci", 3, 100);
    write!(store, (plan), tx => plans::insert(tx, &plan, TWO)).unwrap();
    assert_eq!(left(&store).await, [1, 3, 8]);
}

#[tokio::test]
async fn of_each_principal_so_many_bytes_are_kept() {
    let (_directory, store) = open().await;
    let large = |made| PlanRow { recipe: "x".repeat(100_000), ..row("ci", made, 100) };
    let quota = Quota { plans: 10, bytes: 250_000 };
    let plan = large(6);
    let id = plan.id;
    write!(store, (plan), tx => plans::insert(tx, &plan, quota)).unwrap();
    write!(store, (), tx => plans::mark_applied(tx, id, "ci", at(7)).await).unwrap();
    for made in [8, 9] {
        let plan = large(made);
        write!(store, (plan), tx => plans::insert(tx, &plan, quota)).unwrap();
    }
    assert_eq!(left(&store).await, [6, 9]);
    let (plan, small) = (large(10), Quota { bytes: 10, ..quota });
    write!(store, (plan), tx => plans::insert(tx, &plan, small)).unwrap();
    assert_eq!(left(&store).await, [10]);
}
