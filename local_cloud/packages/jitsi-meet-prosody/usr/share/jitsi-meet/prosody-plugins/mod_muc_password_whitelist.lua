-- Addresses in muc_password_whitelist enter rooms without the password.

local jid = require "util.jid";

local allowed = module:get_option_set("muc_password_whitelist", {});
local MUC = "http://jabber.org/protocol/muc";

-- Before prosody's own check of the password, which has priority -20.
module:hook("muc-occupant-pre-join", function (event)
	local join = event.stanza:get_child("x", MUC);
	local password = event.room:get_password();
	if password and join and allowed:contains(jid.bare(event.stanza.attr.from)) then
		join:remove_children("password", MUC);
		join:text_tag("password", password);
	end
end, -7);
