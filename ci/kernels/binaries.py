"""Reads the JSON messages of `cargo test --no-run` and prints what a guest needs: `test NAME PATH` for each test binary and
`program NAME PATH` for each program of the workspace, which tests may start."""

import json
import os
import sys

for line in sys.stdin:
    message = json.loads(line)
    path = message.get("executable")
    if message.get("reason") != "compiler-artifact" or not path:
        continue
    target = message["target"]
    kind = target["kind"][0]
    package = os.path.basename(os.path.dirname(message["manifest_path"]))
    if message["profile"]["test"]:
        name = package if kind == "lib" else f"{package}-{target['name']}"
        print("test", name, path)
    elif kind == "bin":
        print("program", target["name"], path)
