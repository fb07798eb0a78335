from collections import Counter

from hf_bionerkd.documents import Document, Mention
from hf_bionerkd.weak.first_round import first_documents, sentence_keys


def test_held_out_sentences_are_left_out_whatever_their_spaces_and_case():
    held_out = sentence_keys([["Gout", "hurts", "."], ["IL", "-", "2"]])
    texts = ["GOUT  hurts.", "Gout hurts", "il-2", "IL-2 binds"]
    counts = Counter()
    documents = [Document(str(number), text) for number, text in enumerate(texts)]
    kept = list(first_documents(documents, types={"Disease": "Disease"}, held_out=held_out, counts=counts))
    assert [document.id for document in kept] == ["1", "3"]
    assert counts == {"sentences_left_out_as_held_out": 2}


def test_types_are_those_of_the_run():
    gout, aspirin = Mention(0, 4, "DISO", source="dictionary"), Mention(9, 16, "CHEM")
    (found,) = first_documents([Document("1", "Gout and aspirin", (gout, aspirin))], types={"DISO": "Disease"})
    assert [(m.type, m.text, m.source) for m in found.mentions] == [("Disease", "Gout", "dictionary")]
