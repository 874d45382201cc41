"""Double of pulumi-aws 7.51.1, on boto3; the resources and the function that this project uses, and no others.

NOT RECORDED: the real plugin was never at hand. What stands behind each part, from firm to weak:

- Names, required inputs and types: the published Python package (tests/plugins/test_aws_schema.py compares).
- What replaces, what changes in place and by which calls, what stays in the state of a creation that failed half way,
  which refusals are waited out and for how long, the beginnings of error texts: the source of the Terraform provider
  that the plugin is built from (the last version that was at hand is of 2023, on the older SDK), and what Pulumi's
  bridge was recorded to do around another provider (../hcloud).
- The form of an error, `operation error EC2: ..., api error <code>: <message>`: reports of users of the newer SDK.
- Guesses, each named where it is: how default tags show, how often a call is tried again, what an update finds when
  its instance has gone, the wording of what the double itself refuses.

Different on purpose: only endpoints on loopback are spoken to, so `aws:endpoints` must name one for EC2 and
`aws:skipCredentialsValidation` must be set; functions, inputs and changes that this project does not use are refused
by name; waiting looks sooner and oftener; what a read tells beyond the declared and the exported (CPU options, launch
templates, hibernation and the like) is left empty; the bridge's `__pulumi_raw_state_delta` is neither made nor used.
"""
