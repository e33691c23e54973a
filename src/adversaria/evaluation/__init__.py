"""From a model and data to numbers: features, null floors, controls, and the suite of metrics."""
