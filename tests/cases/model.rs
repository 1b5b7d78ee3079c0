//! A model of what the shop is usually asked, for the cases that are not usual.
//!
//! It is trained anew for every run, so that no case depends on the form of a file.

use portcullis::model::{TrainOptions, train};
use portcullis::profile::Observation;
use serde_json::Value;

/// The model file's content.
pub(crate) fn usual() -> Value {
    let states = ["open", "shipped", "closed"].map(String::from);
    let rows: Vec<Observation> = (0..300)
        .map(|number| match number % 3 {
            0 => Observation::new("getOrder").declared(
                "order_id",
                format!("o-{}", 1_000 + number * 7).as_bytes(),
                &[],
            ),
            1 => Observation::new("listOrders")
                .declared("status", states[number % 7 % 3].as_bytes(), &states)
                .declared("limit", (number % 50 + 1).to_string().as_bytes(), &[]),
            _ => Observation::new("listOrders"),
        })
        .collect();
    let options = TrainOptions {
        trees: 50,
        ..TrainOptions::default()
    };
    train(&rows, &options, |_| {}).unwrap().to_json()
}
