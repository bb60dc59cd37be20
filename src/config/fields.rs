//! The names of a struct's keys, asked of serde itself, so that no list of them can fall behind. Reads no values.

use std::cell::Cell;

use serde::Deserialize;
use serde::de::value::Error;
use serde::de::{Deserializer, Visitor};
use serde::forward_to_deserialize_any;

/// The keys that `T` takes, in the order in which it declares them. Empty for anything but a struct.
pub fn of<T: for<'de> Deserialize<'de>>() -> &'static [&'static str] {
    let names = Cell::new(&[] as &'static [&'static str]);
    // Always an error: the probe has no value to give.
    let _ = T::deserialize(Probe(&names));
    names.get()
}

/// Notes which fields are asked for, and gives nothing.
struct Probe<'a>(&'a Cell<&'static [&'static str]>);

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(serde::de::Error::custom("not a struct"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.set(fields);
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serde_tells_the_keys_of_a_struct_by_the_names_that_people_write() {
        #[derive(Deserialize)]
        #[allow(dead_code)]
        struct Some {
            #[serde(rename = "type")]
            kind: u8,
            name: Option<String>,
        }
        assert_eq!(of::<Some>(), ["type", "name"]);
        assert!(of::<String>().is_empty());
    }
}
