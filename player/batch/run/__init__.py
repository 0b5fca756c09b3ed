"""Many sessions at once: compiled engine, batches, presets, Gymnasium environments."""
