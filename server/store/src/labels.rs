//! Tables `network_label`, `sandbox_label` and `node_label`: the labels of a spec, one a row, so that selecting by them is a seek.

use netloom_model::name::Labels;

use crate::column;
use crate::error::Error;
use crate::select::Select;
use crate::tx::{WriteTx, sql};

/// The statements of one of the tables.
pub(crate) struct LabelTable {
    /// Replaces the labels of object $1 by the JSON object $2.
    replace: &'static str,
    /// Condition on the object's ID, up to the key.
    selector: &'static str,
}

/// Labels of networks; its selector is a condition on `n.id`.
pub(crate) const NETWORK: LabelTable = LabelTable {
    replace: "DELETE FROM network_label WHERE network_id = $1;
        INSERT INTO network_label (network_id, key, value) SELECT $1, j.key, j.value FROM json_each($2) AS j",
    selector: " AND n.id IN (SELECT network_id FROM network_label WHERE key = ",
};

/// Labels of sandboxes; its selector is a condition on `s.id`.
pub(crate) const SANDBOX: LabelTable = LabelTable {
    replace: "DELETE FROM sandbox_label WHERE sandbox_id = $1;
        INSERT INTO sandbox_label (sandbox_id, key, value) SELECT $1, j.key, j.value FROM json_each($2) AS j",
    selector: " AND s.id IN (SELECT sandbox_id FROM sandbox_label WHERE key = ",
};

/// Labels of nodes; its selector is a condition on `n.id`.
pub(crate) const NODE: LabelTable = LabelTable {
    replace: "DELETE FROM node_label WHERE node_id = $1;
        INSERT INTO node_label (node_id, key, value) SELECT $1, j.key, j.value FROM json_each($2) AS j",
    selector: " AND n.id IN (SELECT node_id FROM node_label WHERE key = ",
};

impl LabelTable {
    /// Writes the labels of an object in the place of those it had.
    pub(crate) async fn replace(&self, tx: &mut WriteTx<'_>, id: String, labels: Option<&Labels>) -> Result<(), Error> {
        let labels = labels.map_or_else(|| Ok("{}".to_owned()), column::json)?;
        tx.write(sql(self.replace).bind(id).bind(labels));
        Ok(())
    }

    /// Adds the conditions of a label selector.
    pub(crate) fn select(&self, select: &mut Select, labels: &[(String, Option<String>)]) {
        for (key, value) in labels {
            select.with(self.selector, key.clone());
            if let Some(value) = value {
                select.with(" AND value = ", value.clone());
            }
            select.text(")");
        }
    }
}
