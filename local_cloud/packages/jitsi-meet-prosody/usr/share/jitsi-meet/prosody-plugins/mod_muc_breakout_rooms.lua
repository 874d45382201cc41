-- Announces the breakout rooms' host, and refuses what is asked of it as not implemented.

local hosts = module:require "hosts";
local st = require "util.stanza";

local host = module:get_option_string("breakout_rooms_muc", "breakout." .. module.host);

module:add_identity("component", "breakout_rooms", host);
hosts.when_active(host, function (muc)
	muc:hook("message/host", function (event)
		if event.stanza.attr.type ~= "error" then
			event.origin.send(st.error_reply(event.stanza, "cancel", "feature-not-implemented",
				"The stand-in makes no breakout rooms"));
		end
		return true;
	end);
end);
