-- Accounts in unlimited_jids may send large stanzas, 10 MiB unless unlimited_size says otherwise (bytes). Prosody itself
-- lifts their limit of bytes a second.

local unlimited = module:get_option_inherited_set("unlimited_jids", {});
local size = module:get_option_number("unlimited_size", 10 * 1024 * 1024);

module:hook("authentication-success", function (event)
	local session = event.session;
	if unlimited:contains(session.username .. "@" .. session.host) then
		session.stream:set_stanza_size_limit(size);
	end
end, -1); -- after prosody has set the limit of all who have logged in
