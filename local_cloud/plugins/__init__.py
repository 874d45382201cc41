"""Doubles of the Pulumi provider plugins, for machines that cannot download the real ones.

A double speaks the engine's plugin protocol and behaves as the real plugin was recorded to behave. To write one:

1. One class per resource, a subclass of `resource.Resource`: its type token, a table of its inputs (`Input`: what
   replaces, what updates in place, what the provider fills in), its computed outputs, and `create`, `read`,
   `update`, `delete` on plain Python values. `check` and `diff` follow from the table; override them only where
   the recording says so.
2. One provider: `provider.Provider(name, version, resources)`, or a subclass that keeps its client in `configure`.
3. `if __name__ == "__main__": provider.serve(MyProvider())`. The engine starts `python -m local_cloud.plugins.<name>`.

    class Note(Resource):
        type = "notes:index/note:Note"
        inputs: ClassVar = {"title": Input(required=True, replaces=True), "text": Input()}
        computed = ("length",)

        def create(self, call: Call, inputs: Values) -> Created:
            return Created(inputs["title"], {**inputs, "length": len(inputs.get("text", ""))})

Errors are raised as `ProviderError`; a resource that exists although its creation failed, as `PartialCreate`.
Numbers arrive as int where they are whole. Unknown values arrive as the string `values.UNKNOWN`, in previews only.
Secrets arrive in plain unless the provider sets `accepts_secrets`; then `values.reveal` and `values.secret` open and
make them. The engine marks outputs secret by itself where the input of the same name was.
"""
