from wavegen.linguistics.arpabet import ARPABET, arpabet_words
from wavegen.linguistics.phones import EN_US_PHONES, SILENCE, UNKNOWN, TimedPhone

CMU_PHONES = """
AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH
""".split()


def test_every_phone_has_symbols_and_every_symbol_a_phone():
    assert ARPABET.keys() == set(EN_US_PHONES) - {SILENCE, UNKNOWN}
    assert {symbol for symbols in ARPABET.values() for symbol in symbols} == set(CMU_PHONES)


def test_words_are_kept_apart_and_pauses_left_out():
    said = [("_", -1), ("h", 0), ("aɪ", 0), ("_", -1), ("w", 1), ("ɔːɹ", 1), ("?", 1), ("m", 1), ("ɾ", 2)]
    phones = [TimedPhone(name, i / 10, (i + 1) / 10, word=word) for i, (name, word) in enumerate(said)]
    assert arpabet_words(phones) == (("HH", "AY"), ("W", "AO", "R", "M"), ("T",))
    assert arpabet_words([]) == ()
