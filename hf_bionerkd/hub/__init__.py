"""The Hugging Face Hub: cards of models, references and fetching, checks of access, and pushing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hf_bionerkd.lazy import attach

if TYPE_CHECKING:
    from .cards import CorpusInfo as CorpusInfo
    from .cards import LossInfo as LossInfo
    from .cards import ModelCardInfo as ModelCardInfo
    from .cards import TeacherInfo as TeacherInfo
    from .cards import Throughput as Throughput
    from .cards import refuse_secrets as refuse_secrets
    from .cards import render_model_card as render_model_card
    from .cards import save_model_card as save_model_card
    from .errors import HubError as HubError
    from .errors import hub_error as hub_error
    from .human_card import CardError as CardError
    from .human_card import HumanCard as HumanCard
    from .human_card import load_human_card as load_human_card
    from .papers import bibtex as bibtex
    from .patience import Patience as Patience
    from .provenance import read_provenance as read_provenance
    from .provenance import refresh_card as refresh_card
    from .provenance import write_provenance as write_provenance
    from .public_sources import is_public_source as is_public_source
    from .public_sources import public_source as public_source
    from .public_sources import without_paths as without_paths
    from .publication import kind_of as kind_of
    from .publication import published_files as published_files
    from .publication import stale_files as stale_files
    from .push import Plan as Plan
    from .push import PlannedFile as PlannedFile
    from .push import Pushed as Pushed
    from .push import PushOptions as PushOptions
    from .push import check_access as check_access
    from .push import list_files as list_files
    from .push import plan_push as plan_push
    from .push import push_command as push_command
    from .push import push_folder as push_folder
    from .references import Reference as Reference
    from .references import parse_reference as parse_reference
    from .references import resolve as resolve
    from .remote_code import RemoteCodeError as RemoteCodeError
    from .remote_code import brings_code as brings_code
    from .remote_code import explaining_refusals as explaining_refusals
    from .secrets import SecretError as SecretError
    from .secrets import holds_token as holds_token
    from .secrets import redact as redact
    from .secrets import refuse_tokens as refuse_tokens
    from .snapshots import corpus_folder as corpus_folder
    from .snapshots import fetch as fetch
    from .snapshots import model_folder as model_folder
    from .snapshots import tokenizer_folder as tokenizer_folder
    from .space import assemble_space as assemble_space
    from .space import check_students as check_students
    from .space import parse_students as parse_students

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "CardError": "human_card",
        "CorpusInfo": "cards",
        "HubError": "errors",
        "HumanCard": "human_card",
        "LossInfo": "cards",
        "ModelCardInfo": "cards",
        "Patience": "patience",
        "Plan": "push",
        "PlannedFile": "push",
        "PushOptions": "push",
        "Pushed": "push",
        "Reference": "references",
        "RemoteCodeError": "remote_code",
        "SecretError": "secrets",
        "TeacherInfo": "cards",
        "Throughput": "cards",
        "assemble_space": "space",
        "bibtex": "papers",
        "brings_code": "remote_code",
        "check_access": "push",
        "check_students": "space",
        "corpus_folder": "snapshots",
        "explaining_refusals": "remote_code",
        "fetch": "snapshots",
        "holds_token": "secrets",
        "hub_error": "errors",
        "is_public_source": "public_sources",
        "kind_of": "publication",
        "list_files": "push",
        "load_human_card": "human_card",
        "model_folder": "snapshots",
        "parse_reference": "references",
        "parse_students": "space",
        "plan_push": "push",
        "public_source": "public_sources",
        "published_files": "publication",
        "push_command": "push",
        "push_folder": "push",
        "read_provenance": "provenance",
        "redact": "secrets",
        "refresh_card": "provenance",
        "refuse_secrets": "cards",
        "refuse_tokens": "secrets",
        "render_model_card": "cards",
        "resolve": "references",
        "save_model_card": "cards",
        "stale_files": "publication",
        "tokenizer_folder": "snapshots",
        "without_paths": "public_sources",
        "write_provenance": "provenance",
    },
)
