# `bin/python` of loaded_python.py, which writes the interpreter above this text, and beside it which Python and which
# socket this is about. What the loaded Python does not know is run by the real one.
import json
import os
import signal
import socket
import sys

arguments = [argument for argument in sys.argv[1:] if argument != "-u"]
with open(f"{__file__}.json") as file:
    about = json.load(file)
if arguments == about["list"]:
    print(about["packages"], end="")
    sys.exit()
if not (arguments and arguments[0].endswith("pulumi-language-python-exec")):
    os.execv(about["python"], [about["python"], *sys.argv[1:]])  # noqa: S606

connection = socket.socket(socket.AF_UNIX)
connection.connect(about["server"])
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda received, _: connection.send(bytes([received])))
request = {"arguments": arguments, "environment": dict(os.environ), "folder": os.getcwd()}
socket.send_fds(connection, [json.dumps(request).encode() + b"\n"], [0, 1, 2])
answer = connection.recv(1)
sys.exit(answer[0] if answer else 1)
