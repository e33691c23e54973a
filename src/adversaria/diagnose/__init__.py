"""Verdicts in words, and the dynamics of a game.

| module     | what                                                                              |
|------------|-----------------------------------------------------------------------------------|
| `whole`    | `verdicts`: every verdict on a model, from its numbers and its log                 |
| `samples`, `latent`, `play` | the rules, one function a verdict                                 |
| `dynamics` | `vector_field`, `jacobian_eigenvalues`, `rotation_index` of any game               |
| `path`     | `path_angle` between two checkpoints                                               |
| `duality`  | `duality_gap` of two players                                                       |
| `critics`  | `held_out_gap`, and `gradient_probe` with a fresh discriminator                    |
| `periods`  | `cycling` of logged series, `mode_cycling` of histograms                           |
"""
