"""What the lives with Python libraries check answers with; each check prints what it saw."""


def same(what, expected, actual):
    assert expected == actual, f"{what}: expected {expected!r}, got {actual!r}"
    print(f"{what}: {actual!r}", flush=True)


def refuses(what, kind, call, *args, **kwargs):
    try:
        answer = call(*args, **kwargs)
    except kind as error:
        print(f"{what}: {error}", flush=True)
        return
    raise AssertionError(f"{what}: expected {kind.__name__}, got {answer!r}")
