"""Models of the kinds that FlagEmbedding loads, made here: no hub is needed."""

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def tiny_m3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of BGE-M3's kind, very small and random."""
    pytest.importorskip("FlagEmbedding")
    from transformers import XLMRobertaModel

    return tiny(tmp_path_factory.mktemp("models") / "bge-m3", XLMRobertaModel)


@pytest.fixture(scope="session")
def tiny_reranker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of bge-reranker-v2-m3's kind, very small and random."""
    pytest.importorskip("FlagEmbedding")
    from transformers import XLMRobertaForSequenceClassification

    return tiny(tmp_path_factory.mktemp("models") / "reranker", XLMRobertaForSequenceClassification, num_labels=1)


def tiny(folder: Path, kind: Any, **options: Any) -> Path:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast, XLMRobertaConfig

    words = ["<s>", "<pad>", "</s>", "<unk>", *"▁asthma ▁makes ▁breathing ▁hard ▁the ▁heart ▁pumps ▁blood".split()]
    tokenizer = Tokenizer(models.Unigram([(word, -1.0) for word in words], unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", cls_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    fast.save_pretrained(folder)
    config = XLMRobertaConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        **options,
    )
    kind(config).save_pretrained(folder)
    return folder
