"""The zoo: every recipe with its claims, measured over seeds, and what the measurements rest on."""
