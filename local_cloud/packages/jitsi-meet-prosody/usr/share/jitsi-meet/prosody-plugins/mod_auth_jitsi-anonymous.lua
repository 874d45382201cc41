-- Guests without accounts: SASL ANONYMOUS, each with a random name. Left out: the resumption of an older session's name.

local new_sasl = require "util.sasl".new;

local provider = {};

local function no_accounts()
	return nil, "There are only guests on this host";
end

for _, name in ipairs { "test_password", "get_password", "set_password", "create_user", "delete_user" } do
	provider[name] = no_accounts;
end

function provider.user_exists(username)
	local user = prosody.hosts[module.host].sessions[username];
	return user ~= nil;
end

function provider.users()
	return next, prosody.hosts[module.host].sessions, nil;
end

function provider.get_sasl_handler()
	return new_sasl(module.host, { anonymous = function () return true; end });
end

module:provides("auth", provider);
