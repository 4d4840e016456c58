"""Updates that a device takes: signed, proven on its own processor, and undone where they fail.

`commands` reads what was asked; `update` is the whole, in order. Of what it uses these only
decide: `signature` (who signed what), `offer` (may this device take it), `plan` (is the archive
what was signed). These act: `fetch` (from `sources`), `unpack`, `prove`, `verdict`,
`memory`.
"""
