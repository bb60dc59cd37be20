//! Records as lines of JSON (NDJSON), for standard output and files. Knows neither where they go nor how they rotate.

use crate::mask::{Masked, MaskedRecord};

use super::config::Format;
use super::record::Renderer;

/// One JSON object a line.
#[derive(Debug)]
pub(super) struct LineEncoder {
    renderer: Renderer,
}

impl LineEncoder {
    pub(super) fn new(format: Format) -> Self {
        Self { renderer: Renderer::new(format, false) }
    }

    pub(super) fn encode(
        &mut self,
        masked: &Masked<'_>,
        keep: &mut dyn FnMut(&MaskedRecord<'_>) -> bool,
        out: &mut Vec<u8>,
    ) -> u32 {
        self.renderer.begin(masked.fields());
        let mut items = 0;
        for one in masked.records() {
            if keep(&one) {
                self.renderer.push(&one, out);
                out.push(b'\n');
                items += 1;
            }
        }
        items
    }
}
