import pytest

from voicebotd.config.document import parse


def test_a_map_is_parsed():
    assert parse("audio: {block_ms: 20}\nlog:\n  level: debug\n", "f") == (
        {"audio": {"block_ms": 20}, "log": {"level": "debug"}},
        [],
    )


@pytest.mark.parametrize("text", ["", "# only words\n", "---\n"])
def test_an_empty_document_is_an_empty_map(text):
    assert parse(text, "f") == ({}, [])


@pytest.mark.parametrize(("text", "kind"), [("- a\n", "list"), ("hello", "str"), ("3", "int")])
def test_a_document_that_is_no_map_is_refused(text, kind):
    tree, problems = parse(text, "f.yaml")
    assert tree == {}
    assert [str(problem) for problem in problems] == [f"f.yaml: must be a map of keys, not {kind}"]


def test_bad_yaml_is_reported_with_line_and_column():
    _, problems = parse("audio:\n  block_ms: [1\nlog: x\n", "f.yaml")
    assert len(problems) == 1
    assert str(problems[0]).startswith("f.yaml: line 3, column 4: ")


def test_a_tab_is_reported_where_it_stands():
    _, problems = parse("audio:\n\tblock_ms: 10\n", "f")
    assert "line 2, column 1" in problems[0].message


def test_all_duplicate_keys_are_reported_with_their_places():
    text = "audio:\n  block_ms: 10\n  block_ms: 20\nlog: {level: info}\nlog: {level: debug}\n"
    assert [problem.message for problem in parse(text, "f")[1]] == [
        "line 3, column 3: duplicate key block_ms",
        "line 5, column 1: duplicate key log",
    ]


def test_a_merged_key_may_be_overridden():
    tree, problems = parse("a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  x: 3\n", "f")
    assert tree["b"] == {"x": 3, "y": 2}
    assert problems == []


def test_keys_that_are_maps_are_refused_and_not_fatal():
    assert len(parse("? {a: 1}\n: 2\n", "f")[1]) == 1


def test_objects_are_never_built():
    _, problems = parse("a: !!python/object/apply:os.system ['true']\n", "f")
    assert "could not determine a constructor" in problems[0].message


def test_an_impossible_date_is_a_problem_of_the_document():
    assert parse("a: 2026-99-99\n", "f")[1][0].message.startswith("not YAML: ")


def test_a_control_character_is_a_problem_of_the_document():
    assert parse("a: \x00\n", "f")[1][0].message.startswith("position 3: ")


def test_an_alias_without_anchor_is_a_problem_of_the_document():
    assert "undefined alias" in parse("a: *nowhere\n", "f")[1][0].message


def test_two_documents_in_one_file_are_refused():
    assert parse("a: 1\n---\nb: 2\n", "f")[1] != []
