"""Says one line for each test of some runs, and fails unless each run had some and each of them passed.

tempest.py FOLDER…: each with the last.subunit of its run
"""
import pathlib
import sys

import subunit
import testtools

tests = []


def note(test):
    begin, end = test["timestamps"]
    seconds = (end - begin).total_seconds() if begin and end else 0
    if test["id"] and test["status"] not in ("exists", "inprogress"):
        said = [content.as_text().strip() for name, content in test["details"].items() if "traceback" in name or name == "reason"]
        why = said[0].splitlines()[-1] if said and said[0] else ""
        tests.append((test["id"].split("[")[0], test["status"], seconds, why))


empty = []
for folder in map(pathlib.Path, sys.argv[1:]):
    before = len(tests)
    stream = testtools.StreamToDict(note)
    stream.startTestRun()
    with open(folder / "last.subunit", "rb") as source:
        subunit.ByteStreamToStreamResult(source, non_subunit_name="stdout").run(stream)
    stream.stopTestRun()
    if len(tests) == before:
        empty.append(folder.name)
for name, status, seconds, why in sorted(tests):
    reason = f"  # {why[:300]}" if status != "success" else ""
    print(f"{status:8} {seconds:6.1f} s {name.removeprefix('magnum_tempest_plugin.tests.api.v1.')}{reason}")
passed = sum(status == "success" for _, status, _, _ in tests)
print(f"{passed} of {len(tests)} passed" + "".join(f"; {name} ran none" for name in empty))
sys.exit(bool(empty) or passed != len(tests))
