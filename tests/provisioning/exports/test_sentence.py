"""The sentence that says what came of a restore."""

from provisioning.exports.comparing import sentence_of


def test_one_and_several_are_told_in_their_own_words():
    assert sentence_of({"objects": 9, "equal": 8, "not-run": 1}) == (
        "8 of 9 objects are as they were exported; 1 had ended and is not run again."
    )
    assert sentence_of({"objects": 9, "equal": 5, "differing": 1, "missing": 3}) == (
        "5 of 9 objects are as they were exported; 1 differs; 3 are missing."
    )
